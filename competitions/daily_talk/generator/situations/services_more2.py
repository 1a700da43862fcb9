"""Situations at a bank counter, in a second-hand sale and at a laundry."""

from competitions.daily_talk.generator.engine import Scene
from competitions.daily_talk.generator.words import FULL_NAMES, GIVEN, PLACES, clock, won

WEEK = [f"{week} 주 {day}요일" for week in ("이번", "다음") for day in "수목금토"] + [
    "다음 주 월요일",
    "다음 주 화요일",
]
SOON = [
    "내일 오전",
    "내일 오후",
    "모레 오전",
    "모레 오후",
    "이번 주 금요일",
    "이번 주 토요일",
    "다음 주 월요일",
    "다음 주 화요일",
    "다음 주 수요일",
    "다음 주 목요일",
]
LOST_AT = [
    "지하철",
    "버스",
    "택시",
    "시장",
    "공원",
    "영화관",
    "도서관",
    "헬스장",
    "목욕탕",
    "식당",
    "편의점",
    "병원",
    "마트",
    "야구장",
    "놀이공원",
    "기차",
]


def bank_lost_card(s: Scene) -> None:
    """A customer reports a lost card or bankbook at the bank; it is reissued, found, disputed or put off."""
    guest, teller = s.speaker(FULL_NAMES), s.speaker(GIVEN)
    thing = s.pick("체크카드", "신용카드", "통장", "현금카드")
    book = thing == "통장"
    where, day = s.pick(*LOST_AT), s.pick("어제", "오늘 아침에", "그저께", "어젯밤에", "주말에", "조금 전에")
    num = s.rng.randint(12, 240)
    s.topic = s.pick(f"{thing} 분실 신고", f"은행에서 {thing} 재발급 문의", "은행 창구 분실 접수")
    if s.chance(0.5):
        s.say(teller, f"{num}번 고객님, 이쪽으로 오세요.", f"{num}번 고객님, 어떤 업무로 오셨어요?")
    s.say(
        guest,
        f"{thing}[을/를] 잃어버려서 왔어요.",
        f"안녕하세요. {thing} 분실 신고를 하려고요.",
        f"저기, 제가 {thing}[을/를] 잃어버린 것 같아요.",
    )
    s.say(
        teller,
        "많이 놀라셨겠어요. 언제 어디서 잃어버리셨나요?",
        "네, 고객님. 마지막으로 보신 게 언제인가요?",
        "언제쯤 없어진 걸 아셨어요?",
    )
    s.say(
        guest, f"{day} {where}에서 흘린 것 같아요.", f"{day} {where}에 두고 온 것 같은데 찾아도 없더라고요."
    )
    s.say(
        teller,
        "신분증을 보여 주시겠어요? 성함도 말씀해 주세요.",
        "본인 확인이 필요합니다. 신분증과 성함 부탁드려요.",
    )
    ending = s.pick("now", "mail", "found", "fraud", "no_id", "no_id", "agent")
    if book and ending in ("fraud", "mail"):
        ending = "now"
    if ending == "no_id":
        s.say(guest, "신분증도 지갑에 같이 있었어요. 지금은 없는데요.", "아, 신분증을 집에 두고 왔네요.")
        s.say(
            teller,
            f"그럼 {thing} 정지는 되지만 재발급은 어렵습니다.",
            "신분증이 없으면 정지만 해 드릴 수 있어요. 재발급은 안 됩니다.",
        )
        if s.chance(0.6):
            s.say(
                guest, "운전면허증 사진은 있는데 그걸로는 안 될까요?", "휴대폰에 찍어 둔 사진으로 안 되나요?"
            )
            s.say(
                teller,
                "사진은 안 되고 실물이나 모바일 신분증이 있어야 해요.",
                "죄송하지만 사진으로는 확인이 안 됩니다.",
            )
        s.say(
            guest,
            "그럼 우선 정지해 주세요. 주민번호는 #SSN#입니다.",
            "일단 정지부터 부탁드려요. 생년월일은 #DateOfBirth#[이에요/예요].",
        )
        s.say(
            teller,
            "정지해 드렸습니다. 신분증을 가지고 다시 오세요.",
            "네, 막아 두었습니다. 재발급은 신분증을 챙겨서 다시 와 주세요.",
        )
        back = s.pick(*SOON)
        s.say(guest, f"{back}에 다시 올게요.", f"알겠어요. {back} 다시 들를게요.")
        s.summarize(
            f"{guest}[은/는] {thing}[을/를] 잃어버려 은행에 왔지만 신분증이 없어 정지만 하고 {back} 다시 오기로 합니다.",
            f"{teller}[은/는] 신분증이 없는 {guest}에게 {thing} 정지만 해 주고 재발급은 다음에 하라고 안내합니다.",
            f"{where}에서 {thing}[을/를] 잃어버린 {guest}[은/는] 신분증을 챙겨 {back} 은행을 다시 찾기로 합니다.",
        )
        return
    s.say(guest, f"여기 있어요. {guest.name}입니다.", f"{guest.name}[이에요/예요]. 신분증은 여기요.")
    g = s.pick(guest.name, str(guest))
    if ending == "agent":
        helper = s.speaker(GIVEN)
        found = s.pick(
            "자동화기기 위에서", "입구 바닥에서", "대기석 의자 밑에서", "번호표 기계 옆에서", "주차장에서"
        )
        s.say(teller, "조회하고 있으니 잠시만 기다려 주세요.", "네, 확인해 볼게요. 잠깐만요.")
        s.say(
            helper,
            f"혹시 {thing} 찾으시는 분 계세요? {found} 주웠는데요.",
            f"저, {found} {thing}[이/가] 하나 나왔는데 손님 것 아닌가요?",
        )
        s.say(guest, "어머, 제 것 같아요. 이름이 적혀 있나요?", "어, 잠깐만요. 그거 제 거 같은데요?")
        s.say(
            helper,
            f"{guest.name}[이라고/라고] 쓰여 있네요.",
            f"네, 뒤에 {guest.name}[이라고/라고] 적혀 있어요.",
        )
        s.say(
            teller,
            "다행이네요. 그럼 신고는 취소해 드릴까요?",
            f"정말 다행이에요. {thing}[은/는] 그대로 쓰시겠어요?",
        )
        if s.chance(0.6):
            s.say(guest, "네, 그냥 쓸게요. 정말 감사합니다.", "네, 취소해 주세요. 두 분 다 고마워요.")
            end = "분실 신고를 하지 않기로 합니다"
        else:
            s.say(guest, "그래도 불안하니 새로 발급해 주세요.", "누가 만졌을지 모르니 새것으로 바꿀게요.")
            s.say(teller, "네, 새로 만들어 드리겠습니다.", "그럼 재발급으로 진행할게요.")
            end = "불안해서 새로 발급받기로 합니다"
        s.summarize(
            f"{g}[은/는] {thing} 분실 신고를 하던 중 {helper}[이/가] {found} 주워 온 것을 돌려받고, {end}.",
            f"{helper}[이/가] {found} 발견한 {thing}[이/가] {g}의 것으로 확인되고, {g}[은/는] {end}.",
            f"{where}에서 잃어버린 줄 알았던 {thing}[을/를] 은행에서 되찾은 {g}[은/는] {end}.",
        )
        return
    if ending == "found":
        hide = s.pick(
            "코트 안주머니", "책 사이", "휴대폰 케이스 뒤", "가방 앞주머니", "다이어리 속", "장바구니 바닥"
        )
        s.say(
            teller,
            f"네, {guest.name} 고객님. 정지하면 바로 못 쓰시는데 진행할까요?",
            "지금 신고하시면 바로 사용이 막힙니다. 괜찮으세요?",
        )
        s.say(guest, "잠깐만요. 가방을 한 번만 더 볼게요.", "네... 아, 잠시만요. 뭐가 만져지는데요.")
        s.say(guest, f"어머, {hide}에 있었네요!", f"아이고, {hide}에 들어 있었어요.")
        s.say(
            teller, "다행이네요. 그럼 신고는 안 하셔도 되겠어요.", "찾으셔서 다행입니다. 접수는 취소할게요."
        )
        if s.chance(0.5):
            s.say(guest, "온 김에 비밀번호를 바꿀 수 있을까요?", "그럼 비밀번호라도 바꿔 둘게요.")
            s.say(
                teller,
                "네, 여기 기계에 새 번호를 두 번 눌러 주세요.",
                "네, 가능합니다. 새 비밀번호를 눌러 주세요.",
            )
            extra = " 온 김에 비밀번호도 바꿉니다."
        else:
            s.say(guest, "바쁘신데 죄송합니다.", "괜히 소란을 피웠네요. 죄송해요.")
            extra = ""
        s.summarize(
            f"{g}[은/는] {thing} 분실 신고를 하려다 {hide}에서 찾아 신고를 하지 않습니다.{extra}",
            f"{teller}[이/가] 신고를 접수하려는 순간 {g}[은/는] {hide}에 있던 {thing}[을/를] 발견합니다.{extra}",
            f"잃어버린 줄 알았던 {thing}[이/가] {hide}에서 나오자 {g}의 분실 신고는 취소됩니다.",
        )
        return
    if s.chance(0.4):
        s.say(teller, "다른 것도 같이 잃어버리셨나요?", "지갑을 통째로 잃어버리신 건가요?")
        s.say(guest, f"아니요, {thing}만 없어졌어요.", "아니요, 다행히 다른 건 다 있어요.")
    s.say(
        teller,
        f"확인됐습니다. 우선 {thing}[을/를] 정지했어요.",
        f"네, {guest.name} 고객님. {thing} 사용을 막아 두었습니다.",
    )
    if ending == "fraud":
        spent, times = won(s.rng, 12000, 380000, 1000), s.pick("한 번", "두 번", "세 번")
        shop = s.pick("편의점", "주유소", "백화점", "술집", "온라인 쇼핑몰", "전자 상가", "노래방")
        s.say(
            teller,
            f"그런데 {shop}에서 {times} 결제된 기록이 있네요. {spent}인데 직접 쓰셨어요?",
            f"혹시 {shop}에서 {times}, {spent}[을/를] 쓰신 적 있으세요?",
        )
        s.say(
            guest,
            f"아니요, {shop}에는 간 적이 없어요!"
            if shop != "온라인 쇼핑몰"
            else "아니요, 그런 데서 산 적 없어요!",
            "네? 저는 그런 데서 쓴 적이 없는데요.",
        )
        paper = s.pick("부정 사용 신고서", "이의 신청서")
        s.say(
            teller,
            f"그러면 {paper}[을/를] 써 주셔야 합니다.",
            f"본인 사용이 아니면 {paper}[을/를] 작성하시면 됩니다.",
        )
        s.say(guest, "돈은 돌려받을 수 있나요?", f"그럼 {spent}[은/는] 돌려받는 거죠?")
        weeks = s.pick("2주", "3주", "한 달")
        s.say(
            teller,
            f"조사에 {weeks} 정도 걸리고, 과실이 없으면 보상됩니다.",
            f"{weeks}쯤 조사한 뒤 결과를 알려 드려요. 경찰에도 신고해 주세요.",
        )
        if s.chance(0.6):
            s.say(
                guest,
                "네, 결과는 #PhoneNumber#[으로/로] 알려 주세요.",
                "연락처는 #PhoneNumber#고 이메일은 #Email#[이에요/예요].",
            )
            s.say(teller, "네, 여기 서명 부탁드립니다.", "알겠습니다. 접수됐습니다.")
        else:
            s.say(guest, "네, 지금 바로 쓸게요.", "어디에 쓰면 되나요? 바로 작성할게요.")
        s.summarize(
            f"{g}[은/는] {where}에서 잃어버린 {thing}[으로/로] {spent}[이/가] 결제된 것을 알고 {paper}[을/를] 쓰기로 합니다.",
            f"{teller}[은/는] {g}의 {thing}[이/가] {shop}에서 {times} 쓰였다고 알리고, 조사에 {weeks}쯤 걸린다고 설명합니다.",
            f"분실한 {thing}[이/가] {shop}에서 {spent} 결제에 쓰여 {g}[은/는] 은행에 조사를 맡깁니다.",
        )
        return
    fee = s.pick("1,000원", "2,000원", "3,000원")
    s.say(
        teller,
        f"재발급도 하시겠어요? 수수료가 {fee}입니다.",
        f"새로 만드시려면 재발급 수수료 {fee}이 있어요.",
    )
    if s.chance(0.5):
        s.say(
            guest,
            "자동 이체는 그대로 되나요?",
            f"{thing} 번호가 바뀌면 자동 이체는 어떻게 돼요?" if not book else "계좌 번호는 안 바뀌죠?",
        )
        s.say(
            teller,
            "네, 계좌가 같아서 그대로 됩니다."
            if thing != "신용카드"
            else "카드로 내시던 요금은 새 번호로 다시 등록하셔야 해요.",
        )
    if ending == "mail":
        days = s.pick("3일", "4일", "5일", "일주일")
        s.say(guest, "네, 해 주세요. 바로 받을 수 있나요?", "네, 만들어 주세요. 오늘 되나요?")
        s.say(
            teller,
            f"오늘은 안 되고 우편으로 {days} 정도 걸립니다. 주소가 어떻게 되세요?",
            f"카드가 본점에서 나와서 {days}쯤 걸려요. 받으실 주소를 불러 주세요.",
        )
        office = s.chance(0.4)
        if office:
            s.say(
                guest,
                "낮에는 집에 없으니 회사로 보내 주세요. #Address#[이에요/예요].",
                "회사로 부탁드려요. 주소는 #Address#입니다.",
            )
        else:
            s.say(guest, "#Address#[으로/로] 보내 주세요.", "집 주소는 #Address#[이에요/예요].")
        s.say(
            teller,
            "네, 도착 전에 연락드리겠습니다. 여기 서명해 주세요.",
            "네, 본인이 직접 받으셔야 해요. 서명 부탁드립니다.",
        )
        s.say(guest, "네, 감사합니다.", "여기 했어요. 수고하세요.")
        to = "회사로 " if office else ""
        s.summarize(
            f"{g}[은/는] {where}에서 잃어버린 {thing}[을/를] 정지하고, 수수료 {fee}에 재발급해 {to}우편으로 받기로 합니다.",
            f"{teller}[은/는] {g}의 {thing} 사용을 막고, 새 카드는 {to}{days} 정도 뒤에 도착한다고 안내합니다.",
            f"{thing}[을/를] 잃어버린 {g}[은/는] {fee}[을/를] 내고 재발급을 신청하며, 받기까지 {days} 정도 걸립니다.",
        )
    elif s.chance(0.7):
        minutes = s.rng.choice([5, 10, 15, 20])
        s.say(guest, "네, 지금 바로 만들어 주세요.", "그럼 오늘 새로 발급받을게요.")
        s.say(
            teller,
            f"네, {minutes}분 정도 걸립니다. 비밀번호를 눌러 주세요.",
            f"여기 적어 주시면 {minutes}분 안에 나옵니다.",
        )
        if s.chance(0.5):
            if s.chance(0.5):
                s.say(guest, "비밀번호는 예전 것과 같아도 돼요?", "전에 쓰던 비밀번호를 그대로 써도 되나요?")
                s.say(teller, "네, 그렇게 하셔도 됩니다.", "되긴 하지만 바꾸시는 게 안전해요.")
            else:
                s.say(
                    guest,
                    "연락처도 바뀌었는데 같이 고쳐 주세요. #PhoneNumber#입니다.",
                    "전화번호가 바뀌었어요. #PhoneNumber#[으로/로] 고쳐 주세요.",
                )
                s.say(teller, "네, 함께 변경해 드렸습니다.", "네, 연락처도 고쳤습니다.")
        s.say(guest, "네, 알겠습니다.", "네, 앉아서 기다릴게요.", "다 적었어요. 여기요.")
        s.say(
            teller,
            f"다 됐습니다. 새 {thing} 여기 있습니다.",
            f"기다려 주셔서 감사합니다. 새 {thing}[이에요/예요].",
        )
        s.say(guest, "금방 되네요. 감사합니다.", "네, 이번엔 잘 챙길게요.")
        s.summarize(
            f"{g}[은/는] {where}에서 {thing}[을/를] 잃어버려 은행에서 정지하고, 수수료 {fee}[을/를] 내고 바로 재발급받습니다.",
            f"{teller}[은/는] {g}의 분실 신고를 받고 {minutes}분 만에 새 {thing}[을/를] 만들어 줍니다. 수수료는 {fee}입니다.",
            f"{thing}[을/를] 분실한 {g}[은/는] 신분증으로 본인 확인을 한 뒤 {fee}에 새것을 받습니다.",
        )
    else:
        s.say(guest, "혹시 찾을지도 모르니 재발급은 좀 기다려 볼게요.", "한 번만 더 찾아보고 나서 만들게요.")
        s.say(
            teller,
            "네, 찾으시면 정지는 전화로도 풀 수 있어요.",
            "그러세요. 찾으시면 고객센터로 연락 주시면 됩니다.",
        )
        s.say(guest, "알겠습니다. 감사합니다.", "네, 며칠만 기다려 보고 다시 올게요.")
        s.summarize(
            f"{g}[은/는] {where}에서 잃어버린 {thing}[을/를] 정지하지만 찾을 수도 있어 재발급은 미룹니다.",
            f"{teller}[이/가] 수수료 {fee}인 재발급을 권하지만 {g}[은/는] {thing} 정지만 하고 기다려 보기로 합니다.",
            f"{thing} 분실 신고를 한 {g}[은/는] 새로 만들기 전에 조금 더 기다려 보겠다고 합니다.",
        )


# Thing, price range in thousands, what may be wrong with it, what may come with it.
USED = [
    ("자전거", 60, 250, ("안장이 조금 찢어졌", "체인에 녹이 슬었"), "자물쇠"),
    ("책상", 30, 120, ("모서리가 조금 까졌", "서랍이 뻑뻑해졌"), "의자"),
    ("전기 주전자", 10, 40, ("바닥에 얼룩이 남았", "뚜껑이 헐거워졌"), "찻잔 세트"),
    ("게임기", 120, 320, ("조이스틱이 조금 헐거워졌", "본체에 잔 흠집이 났"), "게임 하나"),
    ("태블릿", 150, 450, ("화면 구석에 흠집이 났", "배터리가 예전보다 빨리 닳게 됐"), "펜"),
    ("기타", 50, 200, ("줄 하나가 끊어졌", "뒤판에 찍힌 자국이 생겼"), "악보집"),
    ("캠핑 텐트", 60, 220, ("지퍼가 조금 뻑뻑해졌", "바닥에 작은 구멍이 났"), "랜턴"),
    ("유모차", 50, 200, ("바퀴가 좀 닳았", "햇빛 가리개 색이 바랬"), "방풍 커버"),
    ("전자레인지", 25, 80, ("문 손잡이가 헐거워졌", "안쪽에 자국이 남았"), "전용 그릇"),
    ("헤드폰", 40, 180, ("귀 패드가 조금 해졌", "충전 선이 없어졌"), "보관 주머니"),
    ("공기 청정기", 50, 170, ("필터를 갈 때가 됐", "옆면에 긁힌 자국이 생겼"), "새 필터"),
    ("소파", 60, 240, ("한쪽 쿠션이 조금 꺼졌", "뒤쪽 가죽이 살짝 벗겨졌"), "쿠션 두 개"),
    ("만화책 전집", 30, 110, ("한 권이 빠졌", "표지 색이 조금 바랬"), "책꽂이"),
    ("필름 카메라", 60, 260, ("노출계가 고장 났", "가죽 케이스가 닳았"), "필름 세 통"),
    ("스키 부츠", 40, 150, ("버클 하나가 뻑뻑해졌", "앞코에 긁힌 자국이 났"), "양말"),
]


def used_deal(s: Scene) -> None:
    """A used thing is sold between neighbours or friends: bargaining over the price, time and place."""
    buyer, seller = s.speaker(GIVEN), s.speaker(GIVEN)
    thing, low, high, flaws, gift = s.rng.choice(USED)
    ask = s.rng.randrange(low, high, 5) * 1000
    cut = s.rng.choice(
        [x for x in (2000, 3000, 5000, 10000, 20000, 30000, 50000) if ask * 0.06 <= x <= ask * 0.25]
    )
    price, offer = f"{ask:,}원", f"{ask - cut:,}원"
    heavy = thing in ("소파", "책상", "자전거", "유모차")
    place = (
        s.pick(*PLACES[:18])
        + s.pick(" 근처 아파트 정문", " 쪽 주민 센터 앞", " 근처 공원 입구", " 쪽 마트 주차장")
        if heavy
        else s.pick(*PLACES[:18])
        + s.pick(
            " 근처 편의점 앞",
            " 쪽 우체국 앞",
            " 근처 큰 서점 앞",
            " 쪽 은행 앞",
            " 근처 공원 입구",
            " 쪽 카페 앞",
        )
    )
    when = f"{s.pick('내일', '모레', *WEEK)} {clock(s.rng, 10, 20)}"
    flaw = s.pick(*flaws)
    p = s.level
    s.topic = s.pick("중고 거래", f"중고 {thing} 가격 흥정", f"{thing} 직거래 약속")
    if s.polite:
        s.say(
            buyer,
            f"안녕하세요. {thing} 판매 글 보고 연락드렸어요. 아직 있나요?",
            f"{thing} {price}에 올리신 거 보고 연락드려요. 아직 안 팔렸죠?",
            f"혹시 올려 두신 {thing} 아직 안 팔렸나요?",
        )
    else:
        s.say(
            buyer,
            f"너 {thing} 판다며? 아직 안 팔렸어?",
            f"야, 단톡방에 올린 {thing} 아직 있어?",
            f"나 {thing} 필요한데, 네 거 아직 남았어?",
        )
    ending = s.pick("cut", "cut", "firm_yes", "firm_no", "gift", "flaw", "sold", *([] if heavy else ["ship"]))
    if ending == "sold":
        s.say(
            seller,
            p("죄송해요. 조금 전에 다른 분과 예약이 됐어요.", "아, 미안. 방금 다른 애가 사기로 했어."),
            p("어쩌죠, 벌써 다른 분이 사기로 하셨어요.", "어쩌지, 벌써 다른 친구가 가져가기로 했는데."),
        )
        s.say(
            buyer,
            p("아쉽네요. 얼마에 나갔나요?", "아깝다. 얼마에 팔기로 했어?"),
            p("그렇군요. 혹시 가격은 얼마였어요?", "진짜? 얼마였는데?"),
        )
        s.say(
            seller,
            p(f"{price}이요. 혹시 취소되면 연락드릴까요?", f"{price}. 취소되면 너한테 먼저 말해 줄까?"),
            p(
                f"{price}이었어요. 그분이 안 오시면 알려 드릴 수 있어요.",
                f"{price}에. 걔가 마음 바꾸면 바로 알려 줄게.",
            ),
        )
        if s.chance(0.5):
            s.say(
                buyer,
                p("네, #PhoneNumber#[으로/로] 문자 주세요.", "응, 꼭 나한테 먼저 말해 줘."),
                p("네, 그러면 정말 감사하죠.", "그래, 취소되면 내가 바로 살게."),
            )
            s.say(seller, p("네, 그렇게 할게요.", "알았어."), p("네, 꼭 연락드릴게요.", "응, 걱정 마."))
            end = "거래가 취소되면 연락을 받기로 합니다"
        else:
            s.say(
                buyer,
                p("아니에요. 다른 걸 찾아볼게요.", "아니야, 그냥 딴 데서 찾아볼게."),
                p("괜찮아요. 급해서 다른 분께 살게요.", "급해서 안 되겠다. 다른 데서 살게."),
            )
            s.say(
                seller,
                p("네, 좋은 물건 찾으시길 바라요.", "그래, 좋은 거 찾길 바라."),
                p("네, 죄송합니다.", "응, 미안해."),
            )
            end = "다른 곳에서 사기로 합니다"
        s.summarize(
            f"{buyer}[은/는] 중고 {thing}[을/를] {seller}에게 사려 하지만 이미 {price}에 팔기로 되어 있어 {end}.",
            f"{seller}의 {thing}[은/는] {price}에 예약된 상태입니다. {buyer}[은/는] 아쉬워하며 {end}.",
            f"{thing}[을/를] 구하던 {buyer}[은/는] 먼저 예약한 사람이 있다는 말을 듣고 {end}.",
        )
        return
    s.say(
        seller,
        p(f"네, 아직 있어요. {price}이에요.", f"응, 아직 있어. {price}만 줘."),
        p(f"네, {price}에 드리고 있어요.", f"아직 안 팔렸어. {price}에 팔려고."),
    )
    tell = ending == "flaw" or s.chance(0.4)
    if tell:
        s.say(
            buyer,
            p("상태는 어떤가요?", "상태는 괜찮아?"),
            p("혹시 흠집이나 고장 난 데는 없어요?", "어디 고장 난 데 없지?"),
        )
        s.say(
            seller,
            p(f"{flaw}지만 그것 말고는 괜찮아요.", f"{flaw}는데 그것 말고는 괜찮아."),
            p(f"솔직히 말씀드리면 {flaw}어요. 나머지는 멀쩡해요.", f"솔직히 말하면 {flaw}어. 나머진 멀쩡해."),
        )
    if s.chance(0.35):
        s.say(
            buyer,
            p("얼마나 쓰셨어요?", "산 지 얼마나 됐는데?"),
            p("구입하신 지 오래됐나요?", "오래 쓴 거야?"),
        )
        used = s.pick("여섯 달", "1년", "1년 반", "2년", "3년")
        s.say(
            seller,
            p(f"{used}쯤 됐어요.", f"{used}쯤 됐어."),
            p(f"산 지 {used} 됐는데 자주 안 썼어요.", f"{used} 됐는데 거의 안 썼어."),
        )
    if ending == "flaw":
        s.say(
            buyer,
            p("음, 그건 좀 마음에 걸리네요.", "음, 그건 좀 걸리는데."),
            p("사진에는 안 나와 있어서 몰랐네요.", "그럼 좀 고민되는데."),
        )
        s.say(
            seller,
            p(f"그럼 {offer}에 드릴게요.", f"그럼 {offer}에 줄게."),
            p(f"그 점을 생각해서 {offer}까지는 해 드릴 수 있어요.", f"그거 생각해서 {offer}까지 해 줄게."),
        )
        s.say(
            buyer,
            p("죄송하지만 이번에는 안 살게요.", "미안한데 이번엔 안 살래."),
            p(
                "그래도 저는 새것 같은 걸 원해서요. 다음에 할게요.",
                "그래도 난 깨끗한 게 좋아서. 그냥 안 살게.",
            ),
        )
        s.say(
            seller,
            p("네, 괜찮습니다. 좋은 물건 구하세요.", "그래, 괜찮아."),
            p("아쉽지만 어쩔 수 없죠.", "아쉽지만 할 수 없지."),
        )
        s.summarize(
            f"{buyer}[은/는] 중고 {thing}[을/를] {seller}에게 사려다 {flaw}다는 말을 듣고, {offer}에 주겠다는 제안도 거절합니다.",
            f"{seller}[은/는] {price}에 내놓은 {thing}[을/를] {offer}까지 낮춰 주지만, {buyer}[은/는] 상태 때문에 사지 않습니다.",
            f"{flaw}다는 말에 마음이 바뀐 {buyer}[은/는] 값을 {offer}[으로/로] 깎아 준다고 해도 {thing}[을/를] 사지 않습니다.",
        )
        return
    if ending == "ship":
        ship = won(s.rng, 3000, 9000, 500)
        s.say(
            buyer,
            p(
                "제가 멀리 살아서 그런데 택배로 보내 주실 수 있나요?",
                "나 지금 본가에 있어서 그런데 택배로 보내 줄 수 있어?",
            ),
            p("직접 가기 어려운데 택배 거래도 될까요?", "가지러 갈 시간이 없는데 택배로 되나?"),
        )
        s.say(
            seller,
            p(f"네, 택배비 {ship}만 더 보내 주세요.", f"응, 택배비 {ship}만 더 줘."),
            p(f"됩니다. 배송비 {ship}[은/는] 따로예요.", f"되지. 배송비 {ship}[은/는] 네가 내고."),
        )
        s.say(
            buyer,
            p("좋아요. 주소는 #Address#[이에요/예요].", "좋아. 주소는 #Address#[이야/야]."),
            p("네, #Address#[으로/로] 보내 주세요. 바로 입금할게요.", "알았어. #Address#[으로/로] 보내 줘."),
        )
        day = s.pick("내일", "모레", "오늘 저녁에", "오늘 바로")
        s.say(
            seller,
            p(f"입금 확인하면 {day} 보낼게요.", f"돈 들어오면 {day} 보낼게."),
            p(f"네, {day} 부치고 송장 번호 알려 드릴게요.", f"응, {day} 부치고 송장 사진 보낼게."),
        )
        s.summarize(
            f"{buyer}[은/는] {price}에 {seller}의 {thing}[을/를] 사고, 택배비 {ship}[을/를] 더 내고 배송받기로 합니다.",
            f"{seller}[은/는] 직접 올 수 없는 {buyer}에게 {thing}[을/를] {day} 택배로 보내기로 합니다. 배송비 {ship}[은/는] 따로입니다.",
            f"중고 {thing} 거래는 택배로 이루어지고, {buyer}[은/는] {price}에 배송비 {ship}[을/를] 더해 내기로 합니다.",
        )
        return
    s.say(
        buyer,
        p(f"혹시 {offer}에 가져가도 될까요?", f"{offer}에 주면 안 돼?"),
        p(f"{offer}에 해 주시면 바로 살게요.", f"좀만 깎아 줘. {offer} 어때?"),
        p(f"조금 비싼데 {offer}[은/는] 어려울까요?", f"친구 사이에 {offer}[으로/로] 하자."),
    )
    if ending == "cut":
        half = cut % 2000 == 0 and s.chance(0.4)
        deal = f"{ask - cut // 2:,}원" if half else offer
        if half:
            s.say(
                seller,
                p(f"그럼 중간으로 해서 {deal} 어떠세요?", f"그럼 반반씩 양보해서 {deal} 하자."),
                p(f"{deal}까지는 맞춰 드릴게요.", f"{deal}까지는 해 줄게."),
            )
            s.say(
                buyer,
                p("네, 그 가격이면 좋아요.", "좋아, 그렇게 하자."),
                p("네, 그렇게 해요.", "오케이, 살게."),
            )
        else:
            s.say(
                seller,
                p(f"좋아요. {deal}에 드릴게요.", f"그래, {deal}에 줄게."),
                p(f"음... 바로 가져가시면 {deal}에 드릴게요.", f"너니까 {deal}에 준다."),
            )
        s.say(
            buyer,
            p("감사해요. 어디서 만날까요?", "고마워. 어디서 볼까?"),
            p("그럼 어디로 가면 될까요?", "그럼 어디로 갈까?"),
        )
    elif ending == "gift":
        deal = price
        s.say(
            seller,
            p(
                f"가격은 그대로 하고 {gift}[을/를] 같이 드릴게요.",
                f"돈은 그대로 받고 {gift}[을/를] 얹어 줄게.",
            ),
            p(
                f"더 깎기는 어렵고, 대신 {gift}[을/를] 끼워 드릴게요.",
                f"그건 안 되고 대신 {gift}[을/를] 그냥 줄게.",
            ),
        )
        s.say(
            buyer,
            p(f"{gift}까지요? 그럼 {price}에 살게요.", f"{gift}도 준다고? 그럼 살게."),
            p("오, 그건 좋네요. 그렇게 할게요.", "오, 그럼 남는 장사네. 콜!"),
        )
        s.say(buyer, p("어디서 받을까요?", "언제 어디서 줄 거야?"), p("만날 곳을 정해요.", "어디서 만날까?"))
    else:
        deal = price
        why = s.pick("산 지 얼마 안 돼서", "이미 많이 내린 가격이라", "원하는 사람이 많아서")
        s.say(
            seller,
            p(f"죄송하지만 {why} 더는 못 깎아 드려요.", f"미안, {why} 더는 못 깎아."),
            p(f"{why} {price} 아래로는 어려워요.", f"{why} {price} 밑으로는 안 돼."),
        )
        if ending == "firm_no":
            if s.chance(0.5):
                s.say(
                    buyer,
                    p("그럼 조금 더 생각해 볼게요.", "그럼 좀 더 생각해 볼게."),
                    p("알겠어요. 고민해 보고 다시 연락드릴게요.", "알았어. 고민해 보고 말해 줄게."),
                )
                s.say(
                    seller,
                    p("네, 편하게 생각하시고 연락 주세요.", "그래, 마음 정하면 말해."),
                    p("네, 그러세요. 그 사이에 팔릴 수도 있어요.", "응, 그런데 그 전에 팔릴 수도 있어."),
                )
                end = "더 생각해 보기로 합니다"
            else:
                s.say(
                    buyer,
                    p("제 예산이 안 맞아서 포기할게요.", "나 돈이 모자라서 안 되겠다."),
                    p(
                        "그 가격이면 새것을 사는 게 낫겠네요. 안 살게요.",
                        "그 값이면 차라리 새것을 사지. 안 살래.",
                    ),
                )
                s.say(
                    seller,
                    p("네, 알겠습니다.", "응, 알았어."),
                    p("네, 다음에 기회가 되면 봬요.", "그래, 할 수 없지."),
                )
                end = "사지 않기로 합니다"
            s.summarize(
                f"{buyer}[은/는] 중고 {thing}[을/를] {offer}에 사겠다고 했다가 {why} 안 된다는 대답을 듣고 {end}.",
                f"{seller}[은/는] {thing} 값 {price}[을/를] 내리지 않고, {buyer}[은/는] {end}.",
                f"{thing} 가격을 {price}에서 {offer}[으로/로] 낮추려던 {buyer}[은/는] {seller}[이/가] 거절하자 {end}.",
            )
            return
        s.say(
            buyer,
            p(
                f"알겠어요. 그럼 {price}에 살게요. 어디서 볼까요?",
                f"알았어. 그냥 {price}에 살게. 어디서 볼래?",
            ),
            p("그래도 상태가 좋으니 살게요. 어디로 갈까요?", "할 수 없지. 그 값에 살게. 어디로 가면 돼?"),
        )
    s.say(
        seller,
        p(f"{when}에 {place}에서 봬요.", f"{when}에 {place}에서 보자."),
        p(f"{when}에 {place} 괜찮으세요?", f"{when}에 {place}[으로/로] 와."),
    )
    if s.chance(0.4):
        s.say(
            buyer,
            p("네, 좋아요. 현금으로 드릴까요?", "좋아. 현금으로 줄까?"),
            p("네, 계좌 이체도 되죠?", "응, 계좌로 보내도 되지?"),
        )
        s.say(
            seller,
            p("편하신 대로 하세요.", "아무거나 괜찮아."),
            p("네, 상관없어요. 제 번호는 #PhoneNumber#[이에요/예요].", "상관없어. 만나서 줘도 돼."),
        )
    else:
        s.say(buyer, p("네, 그때 봬요.", "그래, 그때 봐."), p("네, 시간 맞춰 갈게요.", "응, 시간 맞춰 갈게."))
    bonus = f" 값은 {price} 그대로지만 {gift}도 받기로 합니다." if ending == "gift" else ""
    if ending == "cut":
        s.summarize(
            f"{buyer}[은/는] {price}에 나온 {thing}[을/를] {deal}에 사기로 하고, {when}에 {place}에서 만나기로 합니다.",
            f"{seller}[은/는] 중고 {thing}의 값을 {price}에서 {deal}[으로/로] 깎아 주고 {when}에 {buyer}[을/를] 만나기로 합니다.",
            f"{thing}[을/를] 흥정한 끝에 {deal}에 거래하기로 하고, 두 사람은 {place}에서 {when}에 만납니다.",
        )
    elif ending == "gift":
        s.summarize(
            f"{buyer}[은/는] {thing} 값을 {offer}[으로/로] 깎으려다 {gift}[을/를] 덤으로 받고 {price}에 사기로 합니다. 두 사람은 {when}에 {place}에서 만납니다.",
            f"{seller}[은/는] {thing} 가격 {price}[을/를] 깎는 대신 {gift}[을/를] 주기로 하고, {when}에 {place}에서 거래합니다.",
            f"두 사람은 {when}에 {place}에서 {thing}[을/를] 거래합니다.{bonus}",
        )
    else:
        s.summarize(
            f"{buyer}[은/는] {thing}[을/를] {offer}에 사려 했으나 거절당하고, {price}에 사기로 합니다. 두 사람은 {when}에 {place}에서 만납니다.",
            f"{seller}[은/는] {why} 값을 깎아 주지 않지만, {buyer}[은/는] {price}에 {thing}[을/를] 사러 {when}에 오기로 합니다.",
            f"중고 {thing}[은/는] {price} 그대로 팔리고, 두 사람은 {when}에 {place}에서 만날 약속을 합니다.",
        )


WASH = [
    "코트",
    "패딩",
    "양복",
    "원피스",
    "니트",
    "셔츠",
    "블라우스",
    "한복",
    "점퍼",
    "교복",
    "겨울이불",
    "커튼",
    "카펫",
    "트렌치코트",
    "스카프",
    "넥타이",
]
STAINS = [
    "김칫국물",
    "커피",
    "볼펜 잉크",
    "와인",
    "기름",
    "화장품",
    "페인트",
    "풀물",
    "초콜릿",
    "간장",
    "흙탕물",
    "카레",
]


def laundry(s: Scene) -> None:
    """A laundry shop: handing in something stained, or picking up something that is not as it should be."""
    if s.chance(0.5):
        _laundry_in(s)
    else:
        _laundry_out(s)


def _laundry_in(s: Scene) -> None:
    guest, owner = s.speaker(GIVEN), s.speaker(GIVEN)
    item, stain = s.pick(*WASH), s.pick(*STAINS)
    light = item in ("셔츠", "블라우스", "스카프", "넥타이", "니트", "교복")
    price = won(s.rng, 4000, 10000, 500) if light else won(s.rng, 11000, 35000, 500)
    day = s.pick(*SOON[4:])
    s.topic = s.pick(
        "세탁소에 옷 맡기기" if item not in ("겨울이불", "커튼", "카펫") else "세탁소에 빨래 맡기기",
        f"{item} 얼룩 제거",
        "세탁소 이용",
    )
    s.say(
        guest,
        f"안녕하세요. {item}에 {stain}[을/를] 쏟았는데 지워질까요?"
        if stain not in ("볼펜 잉크", "화장품", "기름", "풀물", "초콜릿", "흙탕물")
        else f"안녕하세요. {item}에 {stain}[이/가] 묻었는데 지워질까요?",
        f"사장님, {item} 좀 맡기려고요. 여기 {stain} 자국이 있어요.",
        f"{item}에 {stain} 얼룩이 생겼는데 뺄 수 있나요?",
    )
    s.say(
        owner,
        "어디 봅시다. 언제 묻은 거예요?",
        "한번 볼게요. 묻은 지 오래됐나요?",
        "음, 이게 언제 생긴 얼룩이에요?",
    )
    s.say(
        guest,
        "어제저녁에 묻었어요.",
        "사흘쯤 됐어요.",
        "일주일은 된 것 같아요.",
        "오늘 점심때요.",
        "지난주에요. 물티슈로 닦았더니 더 번졌어요.",
    )
    ending = s.pick("sure", "maybe_yes", "maybe_no", "rush", "cheaper", "refuse")
    if ending == "refuse":
        cause = s.pick("천이 너무 약해서", "장식이 많아서", "이미 물이 빠져서", "기계로는 감당이 안 돼서")
        place = s.pick("큰길 사거리", "시장 입구", "우체국 뒤", "아파트 상가", "초등학교 맞은편")
        s.say(
            owner,
            f"이건 {cause} 저희가 손대기 어렵겠어요.",
            f"죄송하지만 {cause} 잘못하면 망가질 수도 있어요.",
        )
        s.say(guest, "그럼 어디로 가야 할까요?", "방법이 전혀 없을까요?")
        s.say(
            owner,
            f"{place}에 전문으로 하는 집이 있어요. 거기로 가 보세요.",
            f"{place}에 있는 전문점에 가시면 해 줄 거예요.",
        )
        s.say(guest, "알려 주셔서 감사합니다.", "그래야겠네요. 고맙습니다.")
        s.summarize(
            f"{guest}[은/는] {stain} 얼룩이 묻은 {item}[을/를] 맡기려 하지만 {owner}[은/는] {cause} 어렵다며 {place}의 전문점을 소개합니다.",
            f"{owner}[은/는] {cause} {item} 세탁을 맡아 주지 못하고, {guest}에게 {place}에 있는 전문점을 알려 줍니다.",
            f"{item}의 {stain} 자국 때문에 세탁소를 찾은 {guest}[은/는] {place} 쪽 전문점에 가 보라는 말을 듣습니다.",
        )
        return
    if ending.startswith("maybe"):
        s.say(
            owner,
            f"{stain}[은/는] 완전히 안 빠질 수도 있어요. 그래도 해 볼까요?",
            "장담은 못 하겠네요. 희미하게 남을 수 있어요.",
        )
        s.say(guest, "안 빠져도 돈은 내야 하나요?", "그래도 지금보다는 나아지겠죠?")
        s.say(
            owner,
            f"약품 값이 있어서 {price}[은/는] 받아야 해요.",
            f"지금보다는 낫겠지만, 결과와 상관없이 {price}입니다.",
        )
        if ending == "maybe_no":
            s.say(
                guest, "그럼 그냥 집에서 한 번 더 빨아 볼게요.", f"{price}이면 좀 아깝네요. 그냥 가져갈게요."
            )
            s.say(owner, "그러세요. 뜨거운 물에는 담그지 마세요.", "네, 세게 비비지는 마세요. 더 번져요.")
            s.summarize(
                f"{guest}[은/는] {item}의 {stain} 얼룩을 빼려 하지만, 안 빠질 수도 있는데 {price}[을/를] 내야 한다는 말에 맡기지 않습니다.",
                f"{owner}[은/는] {stain} 얼룩이 남을 수 있고 값은 {price}이라고 하고, {guest}[은/는] {item}[을/를] 도로 가져갑니다.",
                f"얼룩이 빠진다는 보장이 없어 {guest}[은/는] {item} 세탁에 {price}[을/를] 쓰지 않기로 합니다.",
            )
            return
        s.say(guest, "괜찮아요. 한번 해 주세요.", "그래도 해 봐야죠. 부탁드려요.")
        s.say(owner, f"최선을 다해 볼게요. {day}에 오세요.", f"그럼 {day}까지 해 놓을게요.")
        if s.chance(0.4):
            s.say(
                guest,
                "다 되면 #PhoneNumber#[으로/로] 연락 주세요.",
                "네, 제 번호는 #PhoneNumber#[이에요/예요].",
            )
            s.say(owner, "네, 문자 드릴게요.", "그럴게요. 안녕히 가세요.")
        s.summarize(
            f"{guest}[은/는] {stain} 얼룩이 다 안 빠질 수 있다는 말을 듣고도 {item}[을/를] {price}에 맡기고 {day}에 찾기로 합니다.",
            f"{owner}[은/는] {item}의 {stain} 얼룩을 장담하지 못하지만 {day}까지 세탁해 보기로 합니다. 비용은 {price}입니다.",
            f"{item}에 {stain}[이/가] 묻은 {guest}[은/는] {price}[을/를] 내고 세탁을 맡기며, 결과는 {day}에 확인합니다.",
        )
        return
    s.say(
        owner,
        "이 정도면 깨끗이 빠집니다.",
        "걱정 마세요. 이런 얼룩은 잘 지워져요.",
        f"{stain}[은/는] 금방 빼면 괜찮아요.",
    )
    s.say(guest, "얼마예요? 언제 찾을 수 있죠?", "다행이네요. 가격하고 날짜 좀 알려 주세요.")
    s.say(owner, f"{price}이고 {day}에 됩니다.", f"{day}까지 해 드릴게요. {price}입니다.")
    if ending == "sure":
        s.say(guest, "네, 그럼 맡길게요.", "좋아요. 그날 찾으러 올게요.")
        if s.chance(0.5):
            extra = (
                s.pick("단추", "안감", "지퍼", "끝단")
                if item not in ("겨울이불", "커튼", "카펫", "스카프", "넥타이", "니트")
                else "끝단"
            )
            s.say(
                guest,
                f"아, 여기 {extra}도 좀 봐 주세요. {'잘 안 올라가요' if extra == '지퍼' else '떨어지려고 해요' if extra == '단추' else '실밥이 풀렸어요'}.",
            )
            s.say(owner, f"{extra}[은/는] 그냥 손봐 드릴게요.", f"네, {extra}[은/는] 서비스로 고쳐 놓을게요.")
            more = f" {extra}도 무료로 손보기로 합니다."
        else:
            s.say(owner, "네, 접수증 가져가세요.", "네, 성함만 적어 주고 가세요.")
            more = ""
        s.summarize(
            f"{guest}[은/는] {stain}[이/가] 묻은 {item}[을/를] 세탁소에 {price}에 맡기고 {day}에 찾기로 합니다.{more}",
            f"{owner}[은/는] {item}의 {stain} 얼룩이 빠진다며 {day}까지 세탁해 주기로 합니다. 값은 {price}입니다.{more}",
            f"{stain} 얼룩 때문에 세탁소를 찾은 {guest}[은/는] {item} 세탁비가 {price}이라는 말을 듣고 {day} 찾아가기로 합니다.{more}",
        )
    elif ending == "rush":
        event = (
            s.pick("면접", "결혼식", "출장", "발표", "상견례", "졸업식", "동창회")
            if item not in ("겨울이불", "커튼", "카펫")
            else s.pick("집들이", "이사", "손님맞이", "명절")
        )
        until = s.pick("내일 아침까지", "오늘 저녁까지", "내일 오전까지", "내일 오후까지")
        extra = won(s.rng, 2000, 8000, 500)
        s.say(
            guest,
            f"{event} 때문에 {until} 꼭 필요한데 안 될까요?",
            f"어쩌죠, {event}[이/가] 있어서 {until} 있어야 해요.",
        )
        if s.chance(0.6):
            s.say(
                owner, f"급하게 하면 {extra} 더 주셔야 해요.", f"{extra} 추가하시면 먼저 해 드릴 수 있어요."
            )
            s.say(guest, f"네, {extra} 더 낼게요.", "괜찮아요. 그렇게 해 주세요.")
            s.say(owner, f"그럼 {until} 해 놓을게요.", "알겠습니다. 제일 먼저 할게요.")
            s.summarize(
                f"{guest}[은/는] {event} 때문에 {stain} 얼룩이 있는 {item} 세탁을 서둘러 달라고 하고, {extra}[을/를] 더 내고 {until} 받기로 합니다.",
                f"{owner}[은/는] {price}인 {item} 세탁에 {extra}[을/를] 더 받고 {until} 끝내 주기로 합니다.",
                f"{event}[을/를] 앞둔 {guest}[은/는] 추가 요금 {extra}[을/를] 내고 {item}[을/를] {until} 세탁해 달라고 맡깁니다.",
            )
        else:
            s.say(owner, f"죄송하지만 아무리 빨라도 {day}[이에요/예요].", "기계가 다 차서 그건 어려워요.")
            s.say(
                guest,
                "그럼 다른 옷을 입어야겠네요. 천천히 해 주세요."
                if item not in ("겨울이불", "커튼", "카펫")
                else "그럼 할 수 없네요. 천천히 해 주세요.",
                f"할 수 없죠. 그냥 {day}에 찾을게요.",
            )
            s.say(owner, "네, 미안합니다. 깨끗하게 해 놓을게요.", "이해해 줘서 고마워요.")
            s.summarize(
                f"{guest}[은/는] {event} 때문에 {item}[을/를] {until} 받고 싶어 하지만 어렵다는 말에 원래 날짜인 {day}에 찾기로 합니다.",
                f"{owner}[은/는] {item} 세탁을 {until} 끝낼 수 없다고 하고, {guest}[은/는] {price}에 그대로 맡깁니다.",
                f"급하게 {item} 세탁을 부탁한 {guest}[은/는] {event}에는 맞추지 못하고 {day}까지 기다리기로 합니다.",
            )
    else:
        others = s.pick(*[w for w in WASH if w != item])
        off = s.pick("10%", "15%", "20%")
        s.say(
            guest,
            "다른 것도 같이 맡기면 좀 싸게 해 주시나요?",
            f"집에 {others}도 있는데 같이 맡기면 할인되나요?",
        )
        s.say(owner, f"두 가지를 같이 맡기시면 {off} 빼 드려요.", f"네, 두 개 이상이면 {off} 할인입니다.")
        s.say(
            guest,
            f"그럼 집에 가서 {others}도 가져올게요.",
            f"좋네요. 얼른 {others}[을/를] 가지고 다시 올게요.",
        )
        s.say(owner, "네, 저녁 8시까지 열어요.", "그러세요. 이건 먼저 받아 둘게요.")
        s.summarize(
            f"{guest}[은/는] {stain} 얼룩이 있는 {item}[을/를] 맡기면서 {off} 할인을 받으려고 {others}도 가져오기로 합니다.",
            f"{owner}[은/는] {item} 세탁비가 {price}이지만 여러 개를 맡기면 {off} 깎아 준다고 하고, {guest}[은/는] {others}[을/를] 더 맡기려 합니다.",
            f"{item} 세탁을 문의한 {guest}[은/는] 함께 맡기면 {off} 싸다는 말에 {others}[을/를] 가지러 갑니다.",
        )


def _laundry_out(s: Scene) -> None:
    guest, owner = s.speaker(FULL_NAMES), s.speaker(GIVEN)
    clothes = [w for w in WASH if w not in ("겨울이불", "커튼", "카펫", "스카프", "넥타이", "한복")]
    ending = s.pick("swap", "shrunk", "not_ready", "lost", "coin", "still")
    if ending == "coin":
        clothes = ["코트", "패딩", "양복", "점퍼", "교복", "트렌치코트", "셔츠"]
    item, swapped = s.some(clothes, 2)
    ago = s.pick("지난주에", "사흘 전에", "월요일에", "지난 토요일에", "열흘 전에", "그저께")
    staff = s.speaker(GIVEN) if s.chance(0.45) else None
    s.topic = s.pick(f"세탁소에서 {item} 찾기", "세탁소에 옷 찾으러 가기", "맡긴 세탁물 찾기")
    s.say(
        guest,
        f"{ago} 맡긴 {item} 찾으러 왔어요.",
        f"안녕하세요. {ago} {item}[을/를] 맡겼는데 다 됐나요?",
        f"사장님, {ago} 맡긴 제 {item} 나왔어요?",
    )
    s.say(owner, "성함이 어떻게 되시죠?", "접수증 있으세요? 없으면 성함을 알려 주세요.")
    s.say(guest, f"{guest.name}[이에요/예요].", f"{guest.name}입니다. 접수증은 깜빡했네요.")
    g = s.pick(guest.name, str(guest))
    if ending == "swap":
        s.say(owner, "네, 여기 있습니다.", "다 됐어요. 여기요.")
        s.say(
            guest,
            f"어, 이건 제 {item}[이/가] 아니라 {swapped}[이에요/예요].",
            f"잠깐만요. 저는 {item}[을/를] 맡겼는데 이건 {swapped}[이네요/네요].",
        )
        if staff:
            s.say(
                owner,
                f"어? {staff.name} 씨, {guest.name} 손님 {item} 못 봤어요?",
                f"이상하네. {staff.name} 씨, 이 옷 이름표 좀 봐 줄래요?",
            )
            s.say(
                staff,
                "아, 제가 이름표를 바꿔 달았나 봐요. 안쪽에서 찾아올게요.",
                "죄송합니다. 옆 칸에 걸려 있어요. 제가 가져올게요.",
            )
            who = staff
        else:
            s.say(
                owner,
                "아이고, 이름표가 바뀌었네요. 다시 찾아볼게요.",
                "죄송합니다. 옆에 걸린 것과 헷갈렸어요.",
            )
            who = owner
        s.say(who, f"여기 있네요. {item} 맞으시죠?", "찾았습니다. 이거 맞죠?")
        s.say(guest, "네, 이게 제 거예요.", "맞아요. 큰일 날 뻔했네요.")
        s.say(
            owner, "미안합니다. 다음번에 천 원 빼 드릴게요.", "다시 한번 사과드려요. 앞으로 조심하겠습니다."
        )
        s.summarize(
            f"{g}[은/는] {item}[을/를] 찾으러 갔다가 {swapped}[을/를] 잘못 받지만 곧 자기 옷을 돌려받습니다.",
            f"{owner}[은/는] {item} 대신 {swapped}[을/를] 내준 실수를 사과하고, {who}[이/가] 맞는 옷을 찾아 줍니다."
            if staff
            else f"{owner}[은/는] {item} 대신 {swapped}[을/를] 내준 실수를 사과하고 맞는 옷을 다시 찾아 줍니다.",
            f"세탁소에서 {swapped}[과/와] {item}[이/가] 바뀌었으나 {g}[은/는] 그 자리에서 제 옷을 되찾습니다.",
        )
    elif ending == "shrunk":
        pay = won(s.rng, 20000, 90000, 5000)
        harm = s.pick(
            "소매가 줄어들었",
            "색이 얼룩덜룩해졌",
            "앞쪽에 눌은 자국이 생겼",
            *([] if item == "니트" else ["단추가 두 개 없어졌", "안감이 뜯어졌"]),
        )
        s.say(owner, "여기 있습니다. 잘 빠졌어요.", "네, 깨끗하게 됐어요.")
        s.say(guest, f"그런데 {harm}어요. 맡길 때는 멀쩡했거든요.", f"어머, {harm}네요. 이거 왜 이래요?")
        if staff:
            s.say(owner, f"{staff.name} 씨, 이거 어떻게 된 거예요?", f"이거 {staff.name} 씨가 다렸죠?")
            s.say(
                staff,
                "죄송합니다. 온도를 잘못 맞춘 것 같아요."
                if "단추" not in harm and "안감" not in harm
                else "죄송합니다. 기계에 걸린 것 같아요.",
            )
        s.say(
            owner,
            f"저희 잘못이네요. {pay} 보상해 드리면 어떨까요?",
            f"죄송합니다. {pay}[을/를] 물어 드리겠습니다.",
        )
        if s.chance(0.55):
            s.say(guest, "네, 그 정도면 됐어요.", "속상하지만 그렇게 해 주세요.")
            s.say(owner, "계좌 번호를 알려 주시면 바로 보내 드릴게요.", "이해해 주셔서 감사합니다.")
            end = f"{pay}[을/를] 보상받기로 합니다"
        else:
            s.say(
                guest,
                f"이거 훨씬 비싼 옷이에요. {pay}으로는 안 돼요.",
                "산 지 한 달도 안 된 옷이라 그 돈으로는 부족해요.",
            )
            if s.chance(0.5):
                s.say(
                    owner, "그럼 소비자원에 심의를 맡기면 어떨까요?", "그러시면 소비자원 심의를 받아 보시죠."
                )
                way = "소비자원 심의를 받자는 말을"
            else:
                s.say(
                    owner,
                    "영수증을 가져오시면 다시 계산해 볼게요.",
                    "살 때 영수증이 있으면 보고 다시 계산하죠.",
                )
                way = "영수증을 보고 다시 계산하자는 말을"
            s.say(guest, "네, 그렇게 해요.", "알겠어요. 그럼 그렇게 하죠.")
            end = f"{pay}[이/가] 부족하다며 {way} 받아들입니다"
        s.summarize(
            f"{g}[은/는] 맡긴 {item}[이/가] 상한 것을 보고 항의하고, {end}.",
            f"{owner}[은/는] {item}의 {harm}다는 {g}의 말에 잘못을 인정하고 {pay} 보상을 제안합니다.",
            f"세탁한 {item}[을/를] 받은 {g}[은/는] {harm}다며 따지고, {end}.",
        )
    elif ending == "not_ready":
        why = s.pick("기계가 고장 나서", "비가 계속 와서 덜 말라", "주문이 밀려서", "얼룩을 한 번 더 빼느라")
        at = clock(s.rng, 13, 20)
        s.say(owner, f"죄송해요. {why} 아직 안 됐어요.", f"어쩌죠, {why} 조금 더 걸리겠는데요.")
        s.say(guest, "오늘 된다고 하셨잖아요.", "오늘 입어야 하는데 큰일이네요.")
        s.say(owner, f"오늘 {at}까지는 꼭 해 놓겠습니다.", f"{at}에 다시 오시면 안 될까요?")
        if s.chance(0.5):
            s.say(guest, "그럼 그때 다시 올게요.", "알겠어요. 꼭 해 놓으세요.")
            s.say(owner, "네, 정말 죄송합니다.", "고맙습니다. 서두를게요.")
            end = f"{at}에 다시 오기로 합니다"
        else:
            s.say(
                guest,
                "저는 못 오니까 집으로 갖다주세요. #Address#[이에요/예요].",
                "퇴근이 늦어서요. #Address#[으로/로] 배달해 주세요.",
            )
            s.say(staff or owner, "네, 제가 직접 갖다 드릴게요.", "알겠습니다. 문 앞에 걸어 둘게요.")
            end = "집으로 배달받기로 합니다"
        s.summarize(
            f"{g}[은/는] {item}[을/를] 찾으러 왔지만 {why} 아직 끝나지 않아 {end}.",
            f"{owner}[은/는] {why} {item} 세탁이 늦어졌다며 {at}까지 해 놓겠다고 하고, {g}[은/는] {end}.",
            f"약속한 날에 {item}[을/를] 받지 못한 {g}[은/는] {owner}의 사과를 듣고 {end}.",
        )
    elif ending == "lost":
        s.say(
            owner,
            f"{guest.name} 님이요? 이상하네, {item}[이/가] 안 보여요.",
            "잠깐만요. 분명히 여기 걸어 뒀는데 없네요.",
        )
        if staff:
            s.say(
                staff,
                f"혹시 어제 다른 분이 {item}[을/를] 가져가신 거 아닐까요?",
                "어제 배달 나간 것 중에 섞였을지도 몰라요.",
            )
        s.say(guest, "그거 선물받은 옷이라 꼭 찾아야 해요.", "네? 없어졌다고요?", "아끼는 옷인데 어떡해요.")
        day = s.pick(*SOON)
        s.say(
            owner,
            f"손님들께 전화를 돌려서 {day}까지 꼭 찾아 드릴게요.",
            f"다른 손님들께 확인해 보고 {day}까지 알려 드릴게요.",
        )
        s.say(guest, "못 찾으면 어떻게 하실 거예요?", "만약에 안 나오면요?")
        s.say(owner, "그때는 옷값을 물어 드려야죠.", "책임지고 배상하겠습니다.")
        s.say(guest, "알겠어요. #PhoneNumber#[으로/로] 연락 주세요.", "네, 믿고 기다릴게요.")
        s.summarize(
            f"{g}[은/는] 맡긴 {item}[이/가] 없어졌다는 말을 듣고, {owner}[은/는] {day}까지 찾아보고 없으면 배상하기로 합니다.",
            f"{owner}[은/는] {item}[이/가] 보이지 않자 다른 손님들에게 물어 {day}까지 알아보겠다고 {g}에게 약속합니다.",
            f"세탁소가 {item}[을/를] 찾지 못해 {g}[은/는] {day}까지 기다리고, 찾지 못하면 보상받기로 합니다.",
        )
    elif ending == "coin":
        thing = s.pick(
            "5만 원짜리 지폐",
            "반지",
            "교통카드",
            "영화표",
            "USB",
            "집 열쇠",
            "명함 몇 장",
            "무선 이어폰 한쪽",
            "로또 복권",
            "편지",
        )
        s.say(
            owner,
            f"여기 있습니다. 참, 주머니에서 {thing}[이/가] 나왔어요.",
            f"다 됐어요. 그런데 주머니에 {thing}[이/가] 들어 있더라고요.",
        )
        s.say(guest, f"{thing}요? 한참 찾았는데 거기 있었네요!", "어머, 잃어버린 줄 알았어요!")
        s.say(staff or owner, "세탁하기 전에 봐서 다행이에요.", "젖지 않게 따로 챙겨 뒀어요.")
        s.say(guest, "정말 감사합니다. 음료수라도 사 올게요.", "이렇게 챙겨 주시다니 고맙습니다.")
        s.say(owner, "당연한 일인데요, 뭘.", "괜찮아요. 다음엔 주머니를 꼭 확인하세요.")
        s.summarize(
            f"{g}[은/는] {item}[을/를] 찾으러 갔다가 주머니에서 나온 {thing}[을/를] 돌려받고 고마워합니다.",
            f"{owner}[은/는] {item} 주머니에 있던 {thing}[을/를] 챙겨 두었다가 {g}에게 돌려줍니다.",
            f"잃어버린 줄 알았던 {thing}[이/가] {item} 주머니에서 나와 {g}[은/는] 세탁소에 감사 인사를 합니다.",
        )
    else:
        stain = s.pick(*STAINS)
        s.say(
            owner,
            f"다 됐는데 {stain} 자국이 조금 남았어요.",
            f"여기요. 그런데 {stain} 얼룩이 다는 안 빠졌네요.",
        )
        s.say(guest, "이 정도면 티가 나는데요.", "생각보다 많이 남았네요.")
        if s.chance(0.5):
            day = s.pick(*SOON)
            s.say(
                owner,
                f"돈을 더 안 받고 한 번 더 해 볼게요. {day}에 오세요.",
                f"그럼 무료로 다시 빨아 드릴게요. {day}까지요.",
            )
            s.say(guest, "네, 한 번만 더 부탁드려요.", "그럼 다시 맡길게요.")
            end = f"무료로 다시 세탁하고 {day}에 찾기로 합니다"
        else:
            fee = won(s.rng, 3000, 9000, 500)
            s.say(owner, f"대신 {fee}[을/를] 돌려드릴게요.", f"미안하니까 {fee}[은/는] 돌려드릴게요.")
            s.say(guest, "그럼 그냥 가져갈게요. 집에서만 입죠, 뭐.", "어쩔 수 없죠. 그렇게 해 주세요.")
            end = f"{fee}[을/를] 돌려받고 그냥 가져가기로 합니다"
        if staff:
            s.say(staff, "약품을 바꿔 봤는데도 안 되더라고요. 죄송해요.", "저도 여러 번 문질렀는데 아쉽네요.")
        s.summarize(
            f"{g}[은/는] {item}에 {stain} 얼룩이 남은 것을 보고 아쉬워하며 {end}.",
            f"{owner}[은/는] {item}의 {stain} 얼룩이 다 빠지지 않았다고 알리고, {g}[은/는] {end}.",
            f"세탁을 마친 {item}에 {stain} 자국이 남아 {g}[은/는] {end}.",
        )


SITUATIONS = [bank_lost_card, used_deal, laundry]
