"""Situations at the hairdresser and around a parcel that has not come."""

from competitions.daily_talk.generator.engine import Scene, Speaker
from competitions.daily_talk.generator.words import FULL_NAMES, GIVEN, clock, won

SOON = [
    "내일 오전",
    "내일 오후",
    "모레 오전",
    "모레 오후",
    "이번 주 목요일",
    "이번 주 금요일",
    "이번 주 토요일",
    "다음 주 월요일",
    "다음 주 화요일",
    "다음 주 수요일",
    "다음 주 금요일",
]
WEEK = [f"{week} 주 {day}요일" for week in ("이번", "다음") for day in "수목금토"] + [
    "다음 주 월요일",
    "다음 주 화요일",
]
PARCELS = [
    "운동화",
    "화장품",
    "책",
    "겨울 이불",
    "커피 원두",
    "강아지 사료",
    "프라이팬",
    "무선 이어폰",
    "생일 선물",
    "사과 한 상자",
    "김치",
    "아기 옷",
    "책상 조명",
    "캠핑 의자",
    "건강식품",
    "가습기",
]
CUTS = ["귀밑 단발", "중단발", "레이어드 컷", "쇼트커트", "투블록", "일자 단발", "허시 컷"]
PERMS = ["C컬 펌", "빌드 펌", "가르마 펌", "볼륨 매직", "히피 펌", "세팅 펌", "아이롱 펌"]
DYES = ["초콜릿 브라운 염색", "애쉬 브라운 염색", "블루 블랙 염색", "밀크티 베이지 염색", "레드 와인 염색"]


def _salon_booking(s: Scene) -> None:
    guest, staff = s.speaker(FULL_NAMES), s.speaker(GIVEN)
    service = s.pick(*CUTS[:2], "커트", "앞머리 커트", *PERMS, *DYES, "두피 관리", "뿌리 염색", "업스타일")
    day = s.pick(*WEEK)
    hour = s.rng.randint(10, 18)
    at, alt = clock(s.rng, hour, hour), clock(s.rng, hour + 1, hour + 2)
    designer, stand_in = (x + " 디자이너" for x in s.some(list(GIVEN), 2))
    s.topic = s.pick("미용실 예약", f"{service} 예약 전화", "미용실 예약 시간 정하기")
    s.say(
        staff,
        "안녕하세요, 미용실입니다.",
        "네, 미용실입니다. 무엇을 도와드릴까요?",
        "여보세요, 예약 도와드릴까요?",
    )
    pieces = s.chance(0.5)
    if pieces:
        s.say(guest, f"네, {service} 예약하려고요.", f"{service} 예약 좀 하고 싶은데요.")
        s.say(staff, "언제가 편하세요?", "네, 날짜와 시간을 말씀해 주세요.")
        s.say(guest, f"{day} {at}에 되나요?", f"{day}이요. {at}쯤이면 좋겠어요.")
    else:
        s.say(
            guest,
            f"{day} {at}에 {service} 예약할 수 있을까요?",
            f"{service} 때문에 전화했는데요, {day} {at}에 자리 있나요?",
        )
    asks = s.chance(0.4)
    if asks:
        s.say(staff, "원하시는 디자이너가 있으세요?", "늘 하시던 분이 계신가요?")
        s.say(
            guest,
            f"네, {designer}님께 받고 싶어요.",
            f"지난번에 {designer}님이 잘해 주셨어요. 그분으로 부탁드려요.",
        )
    ending = s.pick("ok", "later", "other", "wait", "drop") if asks else s.pick("ok", "later", "wait", "drop")
    g = guest.name
    if ending == "ok":
        cheap = "펌" not in service and "염색" not in service and service != "볼륨 매직"
        cost = won(s.rng, 18000, 40000, 1000) if cheap else won(s.rng, 60000, 160000, 5000)
        s.say(
            staff,
            "네, 그 시간 비어 있습니다. 성함이 어떻게 되세요?",
            "가능합니다. 예약자 성함을 알려 주세요.",
        )
        s.say(guest, f"{g}[이에요/예요].", f"{g}입니다. 번호는 #PhoneNumber#고요.")
        if s.chance(0.6):
            s.say(guest, f"참, {service}[은/는] 얼마예요?", "그런데 가격이 어떻게 되죠?")
            s.say(staff, f"기장 추가 없이 {cost}입니다.", f"{cost}인데 첫 방문이시면 10% 할인돼요.")
            money = f" 가격은 {cost}입니다."
        else:
            s.say(staff, "네, 예약됐습니다.", "네, 문자로 확인 보내 드릴게요.")
            money = ""
        s.say(guest, "네, 그날 봬요.", "감사합니다. 시간 맞춰 갈게요.")
        s.summarize(
            f"{g}[은/는] 미용실에 전화해 {day} {at}에 {service} 예약을 합니다.{money}",
            f"{staff}[은/는] {day} {at}에 자리가 있다고 하고 {g}의 {service} 예약을 받습니다.{money}",
            f"{service}[을/를] 받으려는 {g}[은/는] 전화로 {day} {at} 자리를 잡습니다.{money}",
        )
    elif ending == "later":
        s.say(
            staff,
            f"죄송하지만 그 시간은 예약이 찼어요. {alt}[은/는] 어떠세요?",
            f"{at}에는 어렵고 {alt}[이/가] 비어 있습니다.",
        )
        if s.chance(0.4):
            s.say(guest, "조금 더 일찍은 안 될까요?", "그 앞 시간은 전혀 없나요?")
            s.say(staff, f"네, 그날은 {alt}[이/가] 제일 빠릅니다.", "죄송합니다. 앞 시간은 다 찼어요.")
        s.say(
            guest,
            f"그럼 {alt}에 갈게요. {g}[이라고/라고] 적어 주세요.",
            f"괜찮아요. {alt}[으로/로] 해 주세요. 이름은 {g}[이에요/예요].",
        )
        s.say(staff, f"네, {g} 고객님, {day}에 뵙겠습니다.", "네, 예약해 두겠습니다.")
        s.summarize(
            f"{g}[은/는] {day} {at}에 {service} 예약을 하려다 자리가 없어 {alt}[으로/로] 정합니다.",
            f"{staff}[이/가] {at}에는 자리가 없다고 하자 {g}[은/는] {day} {alt}에 {service}[을/를] 받기로 합니다.",
            f"{service} 시간이 {at}에서 {alt}[으로/로] 바뀌었지만 {g}[은/는] 그대로 {day} 예약을 마칩니다.",
        )
    elif ending == "other":
        why = s.pick("휴무라서", "교육을 가서", "예약이 다 차서")
        s.say(
            staff,
            f"그날은 {designer}님이 {why} 안 되고, {stand_in}님은 가능하세요.",
            f"죄송해요. {designer}님은 {why} 어렵습니다. {stand_in}님은 어떠세요?",
        )
        s.say(guest, f"{stand_in}님도 {service} 잘하세요?", "그분은 경력이 얼마나 되셨어요?")
        years = s.rng.randint(6, 18)
        s.say(staff, f"네, 경력이 {years}년이라 손님들이 좋아하세요.", f"그럼요. {years}년 하신 분이에요.")
        s.say(
            guest,
            f"그럼 {stand_in}님으로 할게요. {g}입니다.",
            f"좋아요. 그분께 받을게요. 예약자는 {g}[이에요/예요].",
        )
        s.say(staff, f"네, {day} {at}[으로/로] 잡아 드렸습니다.", f"예약되셨습니다. {day}에 뵐게요.")
        s.summarize(
            f"{g}[은/는] {day} {at}에 {designer}에게 {service}[을/를] 받으려다 {stand_in}에게 받기로 합니다.",
            f"{staff}[은/는] {designer}[이/가] {why} 안 된다며 경력 {years}년인 {stand_in}[을/를] 추천하고, {g}[은/는] 받아들입니다.",
            f"원하던 디자이너가 {why} {g}[은/는] {stand_in}[으로/로] 바꿔 {day} {at} {service} 예약을 합니다.",
        )
    elif ending == "wait":
        s.say(
            staff,
            f"{day}[은/는] 예약이 꽉 찼어요. 대기로 올려 드릴까요?",
            f"지금은 {day}에 빈자리가 없네요. 취소가 나면 연락드려도 될까요?",
        )
        s.say(
            guest,
            f"네, {g}[으로/로] 올려 주세요. 번호는 #PhoneNumber#[이에요/예요].",
            f"그럼 대기할게요. {g}[이고/고], #PhoneNumber#[으로/로] 전화 주세요.",
        )
        s.say(staff, "자리가 나면 바로 연락드리겠습니다.", "네, 취소되는 대로 전화드릴게요.")
        s.say(guest, "네, 기다릴게요.", "꼭 좀 부탁드려요.")
        s.summarize(
            f"{g}[은/는] {day} {at}에 {service} 예약을 하려 하지만 자리가 없어 대기자로 이름을 올립니다.",
            f"{staff}[은/는] {day} 예약이 다 찼다고 하고, 자리가 나면 {g}에게 연락하기로 합니다.",
            f"{service}[을/를] 받고 싶은 {g}[은/는] {day}에 빈자리가 생기면 연락을 달라며 번호를 남깁니다.",
        )
    else:
        s.say(
            staff,
            f"{day}에는 저녁까지 다 찼고, 그다음 날은 쉬는 날이에요.",
            f"죄송합니다. {day} 예약은 마감됐어요. 다른 날은 어떠세요?",
        )
        event = s.pick("친구 결혼식", "면접", "졸업 사진 촬영", "돌잔치", "소개팅", "가족사진 촬영")
        s.say(
            guest,
            f"{event} 때문에 꼭 그날 해야 하거든요. 다른 미용실에 알아볼게요.",
            f"{event}[이/가] 있어서 그날 아니면 안 돼요. 다음에 할게요.",
        )
        s.say(staff, "네, 죄송합니다. 다음에 꼭 찾아 주세요.", "도움이 못 돼서 죄송해요.")
        s.summarize(
            f"{guest}[은/는] {event} 때문에 {day} {at}에 {service}[을/를] 받으려 하지만 자리가 없어 예약하지 못합니다.",
            f"{staff}[은/는] {day}에는 예약이 어렵다고 하고, {event}[을/를] 앞둔 {guest}[은/는] 예약을 포기합니다.",
            f"{day}에 꼭 {service}[을/를] 해야 하는 {guest}[은/는] 자리가 없다는 말을 듣고 전화를 끊습니다.",
        )


def _salon_chair(s: Scene) -> None:
    guest, stylist = s.speaker(GIVEN), s.speaker(GIVEN)
    kind = s.pick("cut", "perm", "dye")
    wish, other = s.some({"cut": CUTS, "perm": PERMS, "dye": DYES}[kind], 2)
    price = won(s.rng, 20000, 45000, 1000) if kind == "cut" else won(s.rng, 70000, 190000, 5000)
    last = s.pick("한 달 전", "두 달 전", "석 달 전", "반년 전", "작년 가을", "지난여름")
    s.topic = s.pick("미용실에서 머리 모양 고르기", f"{wish} 상담", "머리 스타일 상담")
    s.say(
        stylist,
        "오늘은 어떻게 해 드릴까요?",
        "어서 오세요. 생각해 두신 스타일이 있으세요?",
        "머리가 많이 길었네요. 어떻게 하실래요?",
    )
    s.say(
        guest,
        f"{wish}[을/를] 해 보고 싶어요. 이 사진처럼요.",
        f"요즘 다들 {wish} 하던데 저도 해 볼까 해서요.",
        f"분위기를 좀 바꾸고 싶어서요. {wish} 어떨까요?",
    )
    if s.chance(0.55):
        s.say(stylist, "마지막으로 머리하신 게 언제예요?", "최근에 손보신 게 언제쯤인가요?")
        s.say(guest, f"{last}에 하고 그냥 뒀어요.", f"{last}[이/가] 마지막이었어요.")
    mate = s.speaker(GIVEN) if s.chance(0.4) else None
    if mate:
        s.say(
            mate,
            f"너한테 {wish}[은/는] 좀 과하지 않을까?",
            f"{wish}? 너 지난번에도 하고 후회했잖아.",
            f"나는 {other}[이/가] 더 나을 것 같은데.",
        )
        s.say(
            guest,
            "그래? 난 꼭 해 보고 싶었는데.",
            "너는 맨날 반대만 하더라.",
            "음, 네 말 들으니까 또 고민되네.",
        )
    ending = s.pick("as_wished", "other", "care", "costly", "trim")
    if ending in ("care", "trim") and kind == "cut":
        ending = s.pick("as_wished", "other", "costly")
    if ending == "as_wished":
        hours = s.pick("40분", "50분", "1시간") if kind == "cut" else s.pick("2시간", "2시간 반", "3시간")
        s.say(
            stylist,
            f"얼굴형에 잘 어울리실 거예요. {price}이고 {hours} 정도 걸립니다.",
            f"좋은데요? {hours}쯤 걸리고 가격은 {price}이에요.",
        )
        if s.chance(0.5):
            s.say(guest, "집에서 손질하기 어렵지 않을까요?", "관리는 힘들지 않나요?")
            s.say(
                stylist,
                "말릴 때 손으로 빗어 주기만 하면 돼요."
                if kind != "dye"
                else "염색용 샴푸만 쓰시면 색이 오래가요.",
            )
        s.say(guest, "그럼 그렇게 해 주세요.", "네, 믿고 맡길게요.", "좋아요. 예쁘게 부탁드려요.")
        s.say(stylist, "네, 먼저 샴푸부터 할게요.", "알겠습니다. 가운 입혀 드릴게요.")
        s.summarize(
            f"{guest}[은/는] 미용실에서 {wish}[을/를] 하기로 합니다. 가격은 {price}이고 {hours} 정도 걸립니다.",
            f"{stylist}[은/는] {wish}[이/가] 좋겠다며 {price}에 해 주기로 합니다."
            if not mate
            else f"{mate}의 반대에도 {guest}[은/는] {price}[을/를] 내고 {wish}[을/를] 하기로 마음먹습니다.",
            f"머리 모양을 바꾸려는 {guest}[은/는] {stylist}[과/와] 상의해 {hours} 걸리는 {wish}[을/를] 선택합니다.",
        )
    elif ending == "other":
        tip = s.pick("숱이 많으셔서", "곱슬기가 있으셔서", "모발이 가늘어서", "턱선이 갸름하셔서")
        if kind == "dye":
            tip = s.pick("피부가 하얀 편이라", "피부 톤이 따뜻해서", "눈썹 색이 진해서", "탈색 없이 하시려면")
        s.say(
            stylist,
            f"{tip} {wish}보다는 {other}[이/가] 더 나을 것 같아요.",
            f"제 생각에는 {tip} {other}[이/가] 좋겠어요.",
        )
        s.say(
            guest,
            f"{other}[은/는] 생각 못 해 봤네요. 사진 좀 볼 수 있어요?",
            "그래요? 어떤 느낌인지 궁금해요.",
        )
        s.say(
            stylist,
            "여기 이 사진 보세요. 차분하면서도 세련돼 보이죠?",
            "이런 느낌이에요. 손질도 훨씬 편하고요.",
        )
        s.say(
            guest,
            f"와, 예쁘네요. {other}[으로/로] 바꿀게요.",
            f"이게 더 낫네요. {other}[으로/로] 해 주세요. 얼마예요?",
        )
        s.say(stylist, f"네, {price}에 해 드릴게요.", f"{price}입니다. 이쪽으로 오세요.")
        if mate:
            s.say(mate, "거봐, 그게 훨씬 낫다니까.", "오, 그건 나도 찬성이야.")
        s.summarize(
            f"{guest}[은/는] {wish}[을/를] 원했지만 {stylist}의 추천을 듣고 {other}[으로/로] 바꿉니다. 가격은 {price}입니다.",
            f"{stylist}[은/는] {wish} 대신 {other}[을/를] 권하고, 사진을 본 {guest}[은/는] {price}에 하기로 합니다.",
            f"미용실에서 상담한 끝에 {guest}[은/는] 처음 생각한 {wish}[을/를] 접고 {price}짜리 {other}[을/를] 고릅니다.",
        )
    elif ending == "care":
        weeks = s.pick("2주", "3주", "한 달")
        work = "펌" if kind == "perm" else "염색"
        s.say(
            stylist,
            f"머리끝이 많이 상해서 오늘 {work}을 하면 더 나빠질 것 같아요.",
            f"지금 상태로 {work}을 하시면 끊어질 수도 있어요.",
        )
        s.say(guest, "그렇게 심해요? 어쩐지 자꾸 엉키더라고요.", "그럼 어떻게 하면 좋을까요?")
        s.say(
            stylist,
            f"영양 관리를 먼저 하고 {weeks} 뒤에 하시는 게 좋겠어요.",
            f"오늘은 영양만 넣고 {work}은 {weeks} 뒤에 하시죠.",
        )
        cost = won(s.rng, 30000, 80000, 5000)
        s.say(guest, "영양은 얼마예요?", "오늘 관리 비용은 어떻게 돼요?")
        s.say(
            stylist,
            f"{cost}입니다. 다음에 {work} 하실 때 할인해 드릴게요.",
            f"{cost}인데 오늘 하시면 머릿결이 확 달라져요.",
        )
        s.say(
            guest,
            f"네, 그럼 오늘은 영양만 받을게요. {weeks} 뒤에 다시 올게요.",
            f"알겠어요. {work}은 {weeks} 뒤에 할게요.",
        )
        s.summarize(
            f"{guest}[은/는] {wish}[을/를] 하려 했지만 머리가 상해 오늘은 {cost}짜리 영양 관리만 받고 {weeks} 뒤에 다시 하기로 합니다.",
            f"{stylist}[은/는] 상한 머리를 보고 {wish}[을/를] {weeks} 뒤로 미루라고 권하며 {cost}에 영양을 넣어 주기로 합니다.",
            f"머릿결이 나빠져 {guest}의 {wish}[은/는] {weeks} 뒤로 미뤄지고, 먼저 {cost}[을/를] 내고 관리를 받습니다.",
        )
    elif ending == "costly":
        budget = won(s.rng, 15000, 18000, 1000) if kind == "cut" else won(s.rng, 40000, 60000, 5000)
        s.say(guest, "그런데 가격이 얼마나 할까요?", "혹시 비용은 어느 정도예요?")
        s.say(stylist, f"{wish}[은/는] {price}입니다.", f"기장이 있으셔서 {price} 정도 나와요.")
        s.say(guest, f"아, 저는 {budget} 정도로 생각하고 왔는데요.", f"예산이 {budget}이라 좀 어렵겠네요.")
        s.say(
            stylist,
            f"그럼 오늘은 앞머리만 다듬으시겠어요? {budget}보다 훨씬 싸요.",
            "그럼 다듬기만 하고 다음 달 할인 때 오시는 건 어떠세요?",
        )
        s.say(guest, "네, 오늘은 다듬기만 할게요.", "그게 좋겠어요. 조금만 다듬어 주세요.")
        s.summarize(
            f"{guest}[은/는] {wish}[을/를] 하고 싶어 하지만 {price}[이/가] 예산 {budget}[을/를] 넘어 머리를 다듬기만 합니다.",
            f"{stylist}[이/가] {wish} 가격이 {price}이라고 하자 {guest}[은/는] 오늘은 다듬기만 하겠다고 합니다.",
            f"{budget} 정도를 생각하고 온 {guest}[은/는] {price}인 {wish}[을/를] 포기합니다.",
        )
    else:
        plan = clock(s.rng, 14, 19)
        day = s.pick(*SOON)
        s.say(
            stylist, f"{wish}[은/는] 시간이 좀 걸리는데 괜찮으세요?", "오늘 시간은 넉넉하세요? 꽤 걸리거든요."
        )
        s.say(
            guest, f"아, {plan}에 약속이 있어서 오래는 못 있어요.", f"그래요? 제가 {plan}에 약속이 있는데요."
        )
        s.say(
            stylist,
            f"그럼 오늘은 드라이만 하고 {day}에 다시 오시겠어요?",
            f"서두르면 예쁘게 안 나와요. {day}에 넉넉하게 하시죠.",
        )
        s.say(guest, f"네, {day}[으로/로] 예약해 주세요.", f"그럴게요. {day}에 다시 올게요.")
        s.say(stylist, "네, 그날 시간 비워 둘게요.", "알겠습니다. 예약 넣어 둘게요.")
        s.summarize(
            f"{guest}[은/는] {wish}[을/를] 하려 하지만 {plan} 약속 때문에 {day}에 다시 오기로 합니다.",
            f"{stylist}[은/는] {wish}[이/가] 오래 걸린다며 {plan}에 약속이 있는 {guest}에게 {day} 예약을 권합니다.",
            f"시간이 부족한 {guest}[은/는] {wish}[을/를] {day}[으로/로] 미룹니다. {plan}에 약속이 있기 때문입니다.",
        )


def hair_salon(s: Scene) -> None:
    """A hair salon: booking by phone, or talking over a style in the chair, perhaps with a friend."""
    if s.chance(0.45):
        _salon_booking(s)
    else:
        _salon_chair(s)


def _parcel_opening(s: Scene, who: Speaker, item: str, day: str, done: bool) -> None:
    if done:
        s.say(
            who,
            f"{item}[이/가] {day} 배송 완료라고 떴는데 문 앞에 없어요.",
            f"앱에는 {day} 배송됐다고 나오는데 {item}[을/를] 못 받았거든요.",
            f"{item} 배송이 {day} 끝났다는데 아무리 찾아도 없네요.",
        )
    else:
        s.say(
            who,
            f"제가 {day} {item}[을/를] 받기로 했는데 아직 안 왔어요.",
            f"{day} 온다던 {item}[이/가] 여태 안 왔어요.",
            f"{day} 도착한다고 해서 {item}[을/를] 기다렸는데 소식이 없네요.",
        )


def missing_parcel(s: Scene) -> None:
    """A parcel has not come; the receiver asks the driver, the call centre, or people in the lobby."""
    who = s.speaker(GIVEN)
    item, day = s.pick(*PARCELS), s.pick("어제", "그저께", "오늘 아침에", "지난 금요일에", "이틀 전에")
    s.topic = s.pick("택배 분실 문의", "오지 않은 택배", f"{item} 택배 찾기")
    if s.chance(0.5):
        _parcel_lobby(s, who, item, day)
    else:
        _parcel_call(s, who, item, day)


def _parcel_call(s: Scene, who: Speaker, item: str, day: str) -> None:
    agent = s.speaker(GIVEN)
    driver = s.chance(0.5)
    s.say(
        who,
        "안녕하세요, 택배 기사님이시죠?" if driver else "여보세요, 택배 고객센터죠?",
        "수고하십니다. 택배 때문에 전화드렸는데요.",
    )
    if s.chance(0.4):
        s.say(agent, "네, 말씀하세요." if driver else "네, 고객님. 무엇을 도와드릴까요?")
    ending = s.pick("late", "wrong", "guard", "lost", "returned", "address")
    _parcel_opening(s, who, item, day, ending in ("wrong", "guard", "lost"))
    s.say(
        agent,
        "주소가 어떻게 되세요?",
        "받으시는 분 성함과 주소를 알려 주시겠어요?",
        "확인해 볼게요. 댁이 어디신가요?",
    )
    s.say(
        who,
        "#Address#[이고/고] 이름은 #PersonName#입니다.",
        "#Address#[이에요/예요]. 연락처는 #PhoneNumber#고요.",
        "#PersonName#이고 #Address#[이에요/예요].",
    )
    if ending == "late":
        at = clock(s.rng, 17, 20)
        why = s.pick("물량이 많아서", "길이 막혀서", "차가 고장 나서", "눈이 많이 와서")
        s.say(agent, f"아직 배송 중이네요. {why} 늦어지고 있어요.", f"{why} 배송이 늦어졌습니다. 죄송해요.")
        s.say(who, "그럼 오늘 안에는 받을 수 있어요?", "언제쯤 도착할까요?")
        s.say(
            agent,
            f"오늘 {at}까지는 갖다 드리겠습니다." if driver else f"오늘 {at}까지는 도착할 예정입니다.",
            f"늦어도 {at}에는 도착해요.",
        )
        spot = s.pick("문 앞", "소화전 안", "경비실", "무인 택배함", "현관 옆 상자")
        s.say(who, f"그 시간에 집에 없으니까 {spot}에 놓아 주세요.", f"알겠습니다. {spot}에 두고 가 주세요.")
        s.say(
            agent,
            "네, 그렇게 하겠습니다." if driver else "네, 기사님께 전달하겠습니다.",
            "네, 놓고 문자 드릴게요." if driver else "네, 메모 남겨 두겠습니다.",
        )
        s.summarize(
            f"{who}[은/는] {item}[이/가] 오지 않아 전화하고, {why} {at}쯤 도착한다는 말에 {spot}에 두어 달라고 합니다.",
            f"{agent}[은/는] {item} 배송이 {why} 늦어졌다고 설명하고, {who}[은/는] {spot}에 놓아 달라고 부탁합니다.",
            f"{why} 늦어진 {item}[은/는] {at} 무렵 {who}[이/가] 부탁한 {spot}에 놓일 예정입니다.",
        )
    elif ending == "wrong":
        unit = f"{s.rng.randint(1, 19)}0{s.rng.randint(1, 6)}호"
        s.say(
            agent,
            f"기록을 보니 {unit}에 두고 온 것 같습니다. 제가 실수했네요."
            if driver
            else f"사진을 확인해 보니 {unit} 앞에 잘못 놓인 것 같습니다.",
        )
        s.say(who, f"{unit}요? 저희 집이 아니에요.", f"저희 집은 {unit}[이/가] 아닌데요.")
        if s.chance(0.5):
            s.say(
                agent,
                "죄송합니다. 제가 오늘 다시 가서 옮겨 드리겠습니다."
                if driver
                else "죄송합니다. 기사님을 다시 보내 드리겠습니다.",
            )
            s.say(who, "네, 꼭 좀 부탁드려요.", "알겠어요. 오늘 안에 받았으면 좋겠네요.")
            s.say(agent, "네, 바로 처리하겠습니다.", "네, 정말 죄송합니다.")
            end = "다시 가져다주기로" if driver else "기사를 다시 보내기로"
            s.summarize(
                f"{who}[은/는] {item}[을/를] 받지 못해 전화하고, {agent}[은/는] {unit}에 잘못 배송된 것을 확인해 {end} 합니다.",
                f"{item}[이/가] {unit}에 잘못 간 것을 알게 된 {agent}[은/는] {who}에게 사과하고 {end} 합니다.",
                f"{who}의 {item}[은/는] {unit}에 놓여 있었고, {agent}[은/는] 실수를 바로잡겠다고 약속합니다."
                if driver
                else f"{who}의 {item}[은/는] {unit} 앞에 놓여 있었고, {agent}[은/는] {end} 약속합니다.",
            )
        else:
            s.say(who, "가까우니까 그냥 제가 가서 찾아올게요.", "같은 건물이니 제가 직접 가 볼게요.")
            s.say(
                agent,
                "정말 감사합니다. 번거롭게 해 드려 죄송해요.",
                "죄송합니다. 혹시 없으면 다시 전화 주세요.",
            )
            s.summarize(
                f"{who}[은/는] {item}[이/가] {unit}에 잘못 배송된 것을 알고 직접 찾으러 가기로 합니다.",
                f"{agent}[은/는] {item}[을/를] {unit}에 잘못 두었다고 사과하고, {who}[은/는] 스스로 가져오겠다고 합니다."
                if driver
                else f"{agent}[은/는] {item}[이/가] {unit} 앞에 있다고 알리고, {who}[은/는] 스스로 가져오겠다고 합니다.",
                f"택배가 오지 않아 전화한 {who}[은/는] {unit}에 가서 {item}[을/를] 찾아오기로 합니다.",
            )
    elif ending == "guard":
        spot = s.pick("경비실", "관리 사무소", "무인 택배함", "1층 편의점", "옆집")
        s.say(
            agent,
            f"댁에 아무도 안 계셔서 {spot}에 맡겼다고 되어 있네요.",
            f"벨을 눌러도 답이 없어서 {spot}에 맡겼습니다."
            if driver
            else f"기록을 보니 {spot}에 맡겼다고 나옵니다.",
        )
        s.say(who, "문자를 못 받아서 몰랐어요.", "그런 연락은 없었는데요.")
        s.say(agent, "문자가 안 갔나 봅니다. 죄송합니다.", "연락이 누락된 것 같네요. 죄송해요.")
        s.say(who, f"괜찮아요. 지금 {spot}에 가 볼게요.", f"다음에는 꼭 문자 주세요. {spot}에 가서 찾을게요.")
        s.summarize(
            f"{who}[은/는] {item}[을/를] 받지 못했다고 문의하고, {spot}에 있다는 말을 듣고 찾으러 갑니다.",
            f"{agent}[은/는] {item}[을/를] {spot}에 맡겼다고 알려 주고, 연락이 가지 않은 것을 사과합니다.",
            f"문자를 받지 못한 {who}[은/는] 전화로 {item}[이/가] {spot}에 있다는 사실을 알게 됩니다.",
        )
    elif ending == "lost":
        price = won(s.rng, 15000, 180000, 1000)
        days = s.pick("3일", "5일", "일주일", "열흘")
        s.say(
            agent,
            "저도 문 앞에 둔 기억이 나는데 이상하네요."
            if driver
            else "배송 사진은 있는데 그 뒤로는 확인이 안 되네요.",
            "분실된 것 같습니다. 정말 죄송합니다.",
        )
        s.say(who, f"{price}이나 주고 산 건데 어떡하죠?", f"그거 {price}짜리예요. 보상은 되나요?")
        s.say(
            agent,
            f"분실 신고를 하시면 {days} 안에 보상해 드립니다.",
            f"사고 접수를 하면 조사해서 {days} 안에 배상해 드려요.",
        )
        s.say(who, "그럼 지금 접수해 주세요.", "신고는 어떻게 하면 되나요?")
        s.say(agent, "구매하신 내역을 문자로 보내 주시면 됩니다.", "구매 내역만 보내 주시면 바로 접수할게요.")
        s.say(who, "네, 지금 보낼게요.", "알겠습니다. 바로 보내 드릴게요.")
        s.summarize(
            f"{who}[은/는] {price}[을/를] 주고 산 {item}[이/가] 오지 않았다고 알리고, {days} 안에 보상받기 위해 분실 접수를 합니다.",
            f"{agent}[은/는] {item}[을/를] 찾지 못해 사과하고, 접수하면 {days} 안에 보상된다고 {who}에게 안내합니다.",
            f"{price}짜리 {item}[이/가] 사라지자 {who}[은/는] 구매 내역을 보내 보상을 신청하기로 합니다.",
        )
    elif ending == "returned":
        when = s.pick(*SOON)
        why = s.pick("주소에 동 호수가 빠져", "연락이 닿지 않아", "집에 아무도 없어")
        s.say(agent, f"{why}서 보낸 곳으로 돌아가고 있습니다.", f"{why}서 반송 처리됐다고 나오네요.")
        s.say(who, "아이고, 다시 받으려면 어떻게 해야 해요?", "그럼 안 되는데요. 다시 보내 주실 수는 없나요?")
        s.say(
            agent,
            f"지금 말씀해 주신 주소로 {when} 다시 보내 드릴게요.",
            f"재배송을 신청하시면 {when}에 받으실 수 있습니다.",
        )
        if s.chance(0.5):
            s.say(who, "추가 비용이 있나요?", "돈을 더 내야 하나요?")
            s.say(agent, "이번에는 받지 않겠습니다.", "아니요, 무료로 해 드려요.")
        s.say(who, f"네, {when}에 꼭 받게 해 주세요.", "그럼 재배송으로 부탁드려요.")
        s.summarize(
            f"{who}의 {item}[은/는] {why} 반송 중이었고, {agent}[은/는] {when} 다시 배송해 주기로 합니다.",
            f"{agent}[은/는] {why} {item}[이/가] 반송되었다고 알리고, {who}[은/는] {when} 재배송을 신청합니다.",
            f"{item}[을/를] 기다리던 {who}[은/는] 반송 소식을 듣고 {when}에 다시 받기로 합니다.",
        )
    else:
        when = s.pick(*SOON)
        s.say(
            agent,
            "그런데 접수된 주소는 다른 곳으로 나오는데요.",
            "음, 여기 적힌 주소와 다르네요. 혹시 이사하셨어요?",
        )
        s.say(who, "아, 예전 집 주소로 주문했나 봐요.", "맞다, 이사하고 주소를 안 바꿨네요.")
        s.say(
            agent,
            f"그럼 새 주소로 돌려서 {when} 배송해 드릴까요?",
            f"새 주소로 바꾸면 {when}에 받으실 수 있어요.",
        )
        fee = won(s.rng, 3000, 6000, 500)
        s.say(agent, f"다만 추가 운임 {fee}이 있습니다.", f"그 대신 {fee}을 더 내셔야 해요.")
        if s.chance(0.6):
            s.say(who, "네, 낼게요. 새 주소로 보내 주세요.", f"제 실수니까요. {fee} 낼게요.")
            s.say(agent, f"네, {when}에 보내 드리겠습니다.", "네, 주소 변경해 두었습니다.")
            end = f"추가 운임 {fee}[을/를] 내고 {when} 새 주소에서 받기로"
            short = "그 돈을 내기로"
        else:
            s.say(
                who,
                "그럼 옛날 집이 가까우니 제가 가지러 갈게요.",
                "괜찮아요. 제가 예전 집에 가서 찾아올게요.",
            )
            s.say(agent, "네, 그럼 그대로 배송하겠습니다.", "알겠습니다. 그렇게 진행할게요.")
            end = "예전 집으로 직접 가지러 가기로"
            short = "예전 집에 직접 가기로"
        s.summarize(
            f"{who}[은/는] 예전 주소로 {item}[을/를] 주문한 것을 알게 되고, {end} 합니다.",
            f"{agent}[은/는] {item}의 주소가 다르다며 새 주소로 {when} 보내려면 {fee}[이/가] 더 든다고 하고, {who}[은/는] {short} 합니다.",
            f"주소를 바꾸지 않아 {item}[을/를] 못 받은 {who}[은/는] {agent}[과/와] 이야기한 끝에 {end} 합니다.",
        )


def _parcel_lobby(s: Scene, who: Speaker, item: str, day: str) -> None:
    guard, third = s.speaker(GIVEN), s.speaker(GIVEN)
    neighbour = s.speaker(GIVEN) if s.chance(0.5) else None
    color = s.pick("갈색", "하얀", "파란", "노란", "커다란", "납작한")
    s.say(
        who,
        "안녕하세요, 경비 아저씨.",
        "아저씨, 뭐 좀 여쭤볼게요.",
        "수고하십니다. 혹시 택배 맡아 두신 거 있나요?",
    )
    ending = s.pick("wrong", "truck", "family", "lost", "box")
    _parcel_opening(s, who, item, day, ending != "truck" or s.chance(0.5))
    s.say(
        guard,
        "몇 호시죠? 장부를 한번 볼게요.",
        "잠깐만요. 여기 쌓인 것부터 찾아봅시다.",
        "그래요? 몇 호에 사시는데요?",
    )
    unit, other = s.some([f"{f}0{n}호" for f in range(2, 20) for n in range(1, 5)], 2)
    s.say(
        who,
        f"{unit}[이에요/예요]. {color} 상자일 거예요.",
        f"저는 {unit} 살아요. {color} 상자를 찾고 있어요.",
    )
    s.say(
        guard,
        f"{unit} 앞으로 온 건 없네요.",
        f"{unit}[은/는] 장부에 없는데요.",
        f"여기에는 {unit} 택배가 안 보여요.",
    )
    if neighbour:
        s.say(
            neighbour,
            f"혹시 {color} 상자요? 아까 {other} 앞에서 봤어요.",
            f"저기, {other} 문 앞에 {color} 상자가 있던데요.",
        )
        s.say(who, f"{other}요? 이름도 보셨어요?", "정말요? 제 이름이 적혀 있던가요?")
        s.say(neighbour, "이름까지는 못 봤어요.", "글쎄요, 거기까지는 안 봤네요.")
        s.say(guard, "마침 저기 기사님이 오시네요. 물어봅시다.", "기사님이 오셨으니 여쭤보면 되겠네요.")
    else:
        s.say(guard, "아, 저기 택배 기사님 오시네요. 직접 물어보세요.", "마침 기사님이 들어오시네요.")
    s.say(
        who, f"기사님, {unit} {item} 어디에 두셨어요?", f"기사님, 혹시 {unit} 택배 기억나세요? {item}인데요."
    )
    not_it = (
        "그럼 제가 본 상자는 다른 집 거였네요.",
        f"아, {other} 앞 상자는 남의 거였군요.",
        "제가 본 건 그 상자가 아니었나 봐요.",
    )
    if ending == "wrong":
        s.say(
            third,
            f"{unit}요? 아, {other} 앞에 두고 온 것 같아요. 죄송합니다.",
            f"아이고, 제가 {other} 앞에 잘못 놓았네요.",
        )
        if s.chance(0.5):
            s.say(third, "지금 바로 가져다드릴게요.", "제가 얼른 올라가서 옮겨 드리겠습니다.")
            s.say(who, "네, 감사합니다. 여기서 기다릴게요.", "괜찮아요. 찾았으니 됐죠.")
            end, own = f"{third}[이/가] 다시 가져다주기로 합니다", "다시 가져다주기로 합니다"
        else:
            s.say(who, "그럼 제가 올라가면서 가져갈게요.", "찾았으니 다행이네요. 제가 들고 갈게요.")
            s.say(third, "고맙습니다. 다음부터 조심하겠습니다.", "죄송합니다. 이해해 주셔서 감사해요.")
            end = own = f"{who}[이/가] 직접 가져가기로 합니다"
        if s.chance(0.5):
            s.say(guard, "그래도 금방 찾아서 다행이네요.", "다음엔 호수를 꼭 확인해 주세요, 기사님.")
        mine = "직접 가져가기로 합니다" if end == own else end
        hint = f"{neighbour}[이/가] 본 상자가" if neighbour else f"{item}[이/가]"
        s.summarize(
            f"{who}[은/는] 오지 않은 {item}[을/를] 찾다가 {other} 앞에 잘못 배송된 것을 알게 되고, {mine}.",
            f"{third}[은/는] {unit}[으로/로] 갈 {item}[을/를] {other} 앞에 두었다고 인정하고, {own}.",
            f"{hint} {unit}에 가야 할 택배로 밝혀져 {end}."
            if neighbour
            else f"{unit}에 오지 않은 {item}[은/는] {other} 앞에 있었고, {end}.",
        )
    elif ending == "truck":
        mins = s.rng.choice([5, 10, 15, 20, 30])
        s.say(
            third,
            "그건 아직 차에 있어요. 배송이 좀 밀렸거든요.",
            "아직 못 올렸어요. 오늘 물량이 많아서 차에 그대로 있거든요.",
        )
        s.say(who, "그럼 언제쯤 받을 수 있어요?", "지금 받아 갈 수 있을까요?")
        s.say(
            third,
            f"짐을 내리고 {mins}분 안에 갖다 드릴게요.",
            f"찾으려면 {mins}분쯤 걸려요. 집에 계시면 올라갈게요.",
        )
        s.say(who, "네, 집에서 기다릴게요.", "알겠습니다. 천천히 하세요.")
        if neighbour:
            s.say(neighbour, *not_it)
        s.summarize(
            f"{who}[은/는] {item}[이/가] 없다고 물어보고, {third}[은/는] 아직 차에 있다며 {mins}분 안에 가져다주겠다고 합니다.",
            f"{guard}[은/는] {unit} 택배를 찾지 못하고, 도착한 {third}[이/가] {item}[은/는] 아직 배송 전이라고 설명합니다.",
            f"{unit}에 사는 {who}[은/는] {third}[을/를] 만나 {item}[을/를] {mins}분쯤 뒤에 받기로 합니다.",
        )
    elif ending == "family":
        kin = s.pick("남편", "어머님", "따님", "아드님", "할머님")
        plain = {"남편": "남편", "어머님": "어머니", "따님": "딸", "아드님": "아들", "할머님": "할머니"}[kin]
        s.say(
            third,
            f"아, {unit}[은/는] 제가 {kin}께 직접 드렸는데요.",
            f"{unit}요? {kin}께서 나오셔서 받아 가셨어요.",
        ) if kin != "남편" else s.say(
            third,
            f"아, {unit}[은/는] 남편분께 직접 드렸는데요.",
            f"{unit}요? 남편분이 나오셔서 받아 가셨어요.",
        )
        s.say(
            who,
            f"우리 {plain}[이/가] 받았다고요? 전화해 봐야겠네요.",
            f"어머, {plain}[이/가] 말을 안 했나 봐요. 물어볼게요.",
        )
        if neighbour:
            s.say(neighbour, *not_it)
        s.say(guard, "허허, 집에 있는 걸 찾고 계셨네요.", "그럼 집에 있겠네요. 다행입니다.")
        s.say(who, "괜히 귀찮게 해 드렸네요. 죄송해요.", "죄송합니다. 다들 감사해요.")
        s.summarize(
            f"{who}[은/는] {item}[을/를] 찾으려고 {guard}에게 묻다가 {third}에게서 {plain}[이/가] 이미 받았다는 말을 듣고 미안해합니다.",
            f"{third}[은/는] {unit} 택배를 {who}의 {plain}에게 전했다고 알려 주고, {who}[은/는] 사과합니다.",
            f"잃어버린 줄 알았던 {item}[은/는] {who}의 {plain}[이/가] 집에서 받은 것으로 밝혀집니다.",
        )
    elif ending == "lost":
        s.say(
            third,
            f"분명히 {unit} 문 앞에 두고 사진도 찍었는데요.",
            f"{unit} 앞에 놓았어요. 여기 사진도 있어요.",
        )
        if neighbour:
            s.say(neighbour, *not_it)
        s.say(who, "그런데 왜 없을까요? 누가 가져간 걸까요?", "사진은 저희 집 앞이 맞네요. 이상하다.")
        s.say(guard, "그럼 복도 CCTV를 확인해 봅시다.", "관리 사무소에서 CCTV를 볼 수 있어요.")
        if s.chance(0.5):
            at = clock(s.rng, 13, 20)
            s.say(who, "언제 볼 수 있을까요?", "지금 바로 되나요?")
            s.say(guard, f"소장님이 오시는 {at}에 같이 봐요.", f"{at}에 다시 오시면 보여 드릴게요.")
            s.say(who, "네, 그때 올게요.", "그럼 그때 내려올게요.")
            end = f"{at}에 CCTV를 확인하기로 합니다"
        else:
            s.say(who, "네, 같이 좀 봐 주세요.", "그럼 바로 확인하고 싶어요.")
            s.say(third, "저는 회사에 분실로 보고해 둘게요.", "저도 본사에 사고 접수를 하겠습니다.")
            end = "CCTV를 함께 확인하기로 합니다"
        s.summarize(
            f"{who}[은/는] {item}[을/를] 받지 못했지만 {third}[은/는] {unit} 앞에 두었다고 합니다. 세 사람은 {end}."
            if not neighbour
            else f"{who}[은/는] {item}[을/를] 받지 못했지만 {third}[은/는] {unit} 앞에 두었다고 하고, {guard}의 제안으로 {end}.",
            f"{third}[이/가] 사진까지 찍어 둔 {unit}의 {item}[이/가] 사라져 {guard}[과/와] {who}[은/는] {end}.",
            f"{unit} 문 앞에 놓였던 {item}[이/가] 없어지자 {guard}[은/는] 영상을 보자고 하고, {who}[은/는] {end}.",
        )
    else:
        num = s.rng.randint(3, 40)
        s.say(
            third,
            f"아, 문 앞에 두기 불안해서 무인 택배함 {num}번에 넣었어요.",
            f"{unit}[은/는] 택배함 {num}번에 넣고 문자를 보냈는데요.",
        )
        s.say(who, "문자를 못 봤어요. 비밀번호가 뭐예요?", "어머, 스팸인 줄 알고 지웠나 봐요. 비밀번호는요?")
        if neighbour:
            s.say(neighbour, *not_it)
        s.say(
            third,
            "다시 보내 드릴게요. 번호가 어떻게 되세요?",
            "문자를 한 번 더 보내 드리죠. 연락처 좀 불러 주세요.",
        )
        s.say(who, "#PhoneNumber#[이에요/예요].", "네, #PhoneNumber#입니다.")
        s.say(third, "지금 보냈습니다. 확인해 보세요.", "보냈어요. 거기 적힌 대로 누르시면 열려요.")
        if s.chance(0.5):
            s.say(who, "아, 왔네요. 모두 고맙습니다.", "네, 열어 볼게요. 감사합니다.")
        s.summarize(
            f"{who}[은/는] {item}[이/가] 택배함 {num}번에 있다는 것을 알고 {third}에게서 비밀번호 문자를 다시 받습니다.",
            f"{third}[은/는] {unit}의 {item}[을/를] 택배함 {num}번에 넣었다며 {who}에게 문자를 다시 보내 줍니다.",
            f"문자를 놓친 {who}[은/는] {guard}[과/와] {third}에게 물어 택배함 {num}번에서 {item}[을/를] 찾게 됩니다.",
        )


SITUATIONS = [hair_salon, missing_parcel]
