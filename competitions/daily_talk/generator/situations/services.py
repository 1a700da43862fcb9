"""Situations at a counter or on the phone with a shop: clothes and phones."""

from competitions.daily_talk.generator.engine import Scene
from competitions.daily_talk.generator.words import GIVEN, PLACES, clock, won

TOPS = [
    "니트",
    "셔츠",
    "블라우스",
    "카디건",
    "후드티",
    "맨투맨",
    "재킷",
    "트렌치코트",
    "패딩",
    "바람막이",
    "조끼",
    "가죽점퍼",
    "폴라티",
    "청재킷",
]
BOTTOMS = [
    "청바지",
    "면바지",
    "슬랙스",
    "반바지",
    "주름치마",
    "청치마",
    "코듀로이바지",
    "등산바지",
    "와이드팬츠",
    "조거팬츠",
    "정장바지",
    "트레이닝바지",
]
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


def clothes_return(s: Scene) -> None:
    """A shopper brings clothes back; the shop exchanges, refunds, refuses or offers something else."""
    buyer, clerk = s.speaker(GIVEN), s.speaker(GIVEN)
    bottom = s.chance(0.35)
    item, other = s.some(BOTTOMS if bottom else TOPS, 2)
    step = s.rng.randint(0, 2)
    sizes = (
        [f"{26 + 2 * step}인치", f"{28 + 2 * step}인치"]
        if bottom
        else [f"{x} 사이즈" for x in ["S", "M", "L", "XL"][step : step + 2]]
    )
    reason = s.pick("small", "big", "flaw", "color", "gift", "mind")
    had, better = sizes if reason == "small" else sizes[::-1]
    endings = {
        "small": ("size", "transfer", "refund", "refused"),
        "big": ("size", "transfer", "alter", "refused"),
        "flaw": ("refund", "new", "new"),
        "color": ("color", "refund", "refused"),
        "gift": ("credit", "swap"),
        "mind": ("refund", "credit", "swap", "refused"),
    }[reason]
    ending = s.pick(*endings)
    late = ending == "refused" and s.chance(0.5)
    cost = s.rng.randrange(19, 130) * 1000 + s.rng.choice([0, 0, 900])
    price = f"{cost:,}원"
    when = (
        s.pick("한 달 전에", "3주 전에", "두 달 전에")
        if late
        else s.pick(
            "어제", "그저께", "사흘 전에", "지난 주말에", "지난주 금요일에", "닷새 전에", "일주일 전에"
        )
    )
    want = (
        "환불"
        if ending in ("refund", "credit") or (ending in ("swap", "refused") and s.chance(0.5))
        else "교환"
    )
    if reason == "gift":
        want = "교환" if ending == "swap" else "환불"
    flaw = s.pick(
        "안쪽에 얼룩이 묻어 있",
        "옆 솔기가 터져 있",
        "밑단에 작은 구멍이 나 있",
        "뒤쪽 실밥이 풀려 있",
        "앞쪽에 긁힌 자국이 나 있",
    )
    tight = "허리가 안 잠겨요" if bottom else "어깨가 꽉 껴서 팔을 못 들겠어요"
    loose = "허리가 자꾸 흘러내려요" if bottom else "품이 너무 커서 남의 옷을 빌려 입은 것 같아요"
    said, why = {
        "small": (
            (f"{had}[을/를] 샀는데 {tight}.", f"집에서 입어 보니 {tight}. {had}거든요."),
            f"{item}[이/가] 작아서",
        ),
        "big": (
            (f"{had}[을/를] 샀는데 {loose}.", f"집에서 입어 보니까 {loose}. {had}였는데도요."),
            f"{item}[이/가] 커서",
        ),
        "flaw": (
            (
                f"꺼내 보니 {flaw}더라고요.",
                f"한 번도 안 입었는데 {flaw}어요.",
                f"여기 좀 보세요. {flaw}잖아요.",
            ),
            f"{item} {flaw}어서",
        ),
        "color": (
            ("매장에서 볼 때랑 색이 너무 달라요.", "밝은 데서 보니 색이 매장에서 본 것과 전혀 다르더라고요."),
            f"{item} 색이 매장에서 본 것과 달라서",
        ),
        "gift": (
            ("집에 똑같은 옷이 이미 있어서요.", "알고 보니 저한테 똑같은 게 있더라고요."),
            f"선물받은 {item}[과/와] 똑같은 옷이 있어서",
        ),
        "mind": (
            (
                "막상 집에서 입어 보니 저한테 안 어울려요.",
                "가지고 있는 옷이랑 맞춰 보니 하나도 안 어울리더라고요.",
            ),
            f"{item}[이/가] 어울리지 않아서",
        ),
    }[reason]
    s.topic = s.pick(
        f"{item} {want} 문의",
        f"옷 가게에서 {want} 요청하기",
        f"구입한 옷의 {want}" if reason != "gift" else f"선물받은 옷의 {want}",
    )
    bought = "선물로 받은" if reason == "gift" else f"{when} 여기서 산"
    s.say(
        buyer,
        f"안녕하세요. {bought} {item}[을/를] {want}하고 싶어서 왔는데요.",
        f"저기요, {bought} {item}인데 {want}이 될까요?",
        f"{bought} {item}[을/를] 가져왔는데 혹시 {want} 가능한가요?",
    )
    early = s.chance(0.5)
    if early:
        s.say(buyer, *said)
        s.say(
            clerk,
            "아, 그러셨군요. 제가 한번 볼게요.",
            "네, 불편하셨겠어요. 잠깐 확인해 보겠습니다.",
            "어디 한번 볼까요?",
        )
    else:
        s.say(
            clerk,
            "네, 고객님. 어떤 점이 마음에 안 드셨어요?",
            "무슨 문제가 있으셨나요?",
            "실례지만 이유가 어떻게 되실까요?",
        )
        s.say(buyer, *said)
    friend = s.speaker(GIVEN) if s.chance(0.35) and reason in ("small", "big", "color", "mind") else None
    if friend:
        s.say(
            friend,
            "거봐, 내가 살 때 입어 보고 사라고 했잖아."
            if reason != "color"
            else "거봐, 내가 밖에 나가서 색 좀 보자고 했잖아.",
            "그러니까 내가 좀 더 생각해 보자고 했지.",
        )
        s.say(buyer, "그러게. 네 말 들을걸.", "알았어, 그만해. 그날은 정신이 없었어.", "다음부턴 꼭 그럴게.")
    if (early and not friend) or s.chance(0.7):
        s.say(
            clerk,
            "영수증은 가지고 계세요?",
            "영수증 좀 보여 주시겠어요?",
            "구매 내역을 확인해야 하는데 영수증은 챙겨 오셨나요?",
        )
        if reason == "gift":
            s.say(
                buyer,
                "영수증은 없고 교환증만 받았어요. 여기요.",
                "선물해 준 친구가 교환증을 같이 넣어 줬어요.",
            )
        elif s.chance(0.6):
            s.say(
                buyer,
                "네, 여기 있어요.",
                "네, 쇼핑백에 같이 넣어 왔어요.",
                "잠시만요. 아, 지갑에 있네요. 여기요.",
            )
        else:
            s.say(
                buyer,
                "영수증은 버렸는데 카드로 결제했어요.",
                "어쩌죠, 영수증은 잃어버렸고 결제한 카드만 있어요.",
            )
            s.say(
                clerk,
                "그럼 결제하신 카드 번호를 알려 주시면 조회해 볼게요.",
                "괜찮습니다. 카드 번호로도 찾을 수 있어요.",
            )
            s.say(buyer, "#CardNumber#[이에요/예요].", "카드 번호는 #CardNumber#입니다.")
    if ending in ("size", "color", "new"):
        shade = s.pick("남색", "베이지색", "검은색", "회색", "흰색", "갈색", "카키색")
        target = better if ending == "size" else f"{shade} {item}" if ending == "color" else "새 상품"
        s.say(
            clerk,
            f"다행히 {target}[이/가] 딱 하나 남아 있네요. 이걸로 바꿔 드릴까요?",
            f"창고를 찾아보니 {target}[이/가] 있어요. 그걸로 드릴까요?",
            f"확인했습니다. {target}[으로/로] 교환해 드릴 수 있어요.",
        )
        if s.chance(0.5):
            s.say(buyer, "입어 봐도 되죠? 탈의실이 어디예요?", "혹시 모르니까 한번 입어 볼게요.")
            s.say(clerk, "그럼요. 거울 옆 탈의실을 쓰세요.", "네, 저쪽 끝에 탈의실이 있어요.")
            s.say(
                buyer,
                "이건 마음에 들어요. 이걸로 할게요.",
                f"이번엔 괜찮네요. {target}[으로/로] 바꿔 주세요.",
            )
        else:
            s.say(buyer, "네, 그렇게 해 주세요.", "좋아요. 바로 바꿔 갈게요.", "잘됐네요. 그걸로 주세요.")
        s.say(
            clerk, "네, 교환 처리해 드렸습니다.", "감사합니다. 예쁘게 입으세요.", "새 쇼핑백에 담아 드릴게요."
        )
        s.summarize(
            f"{buyer}[은/는] {why} 옷 가게를 찾아가 {target}[으로/로] 교환합니다.",
            f"{clerk}[은/는] {why} 찾아온 {buyer}에게 {target}[을/를] 내주며 교환해 줍니다.",
            f"{why} 교환을 요청한 {buyer}[은/는] 재고를 확인한 {clerk}에게서 {target}[을/를] 받습니다.",
        )
    elif ending == "transfer":
        branch, day = s.pick(*PLACES), s.pick(*SOON)
        s.say(
            clerk,
            f"어쩌죠, {better}[은/는] 저희 매장에 다 나갔어요. {branch}점에는 한 벌 있네요.",
            f"{better} 재고를 찾아봤는데 지금은 {branch}점에만 있습니다.",
        )
        s.say(buyer, "그럼 여기로 보내 주실 수 있나요?", "거기까지 가기는 좀 먼데, 방법이 없을까요?")
        s.say(
            clerk, f"네, {day}까지 이 매장으로 옮겨 놓을게요.", f"그럼요. {day}까지는 저희 매장에 들어옵니다."
        )
        if s.chance(0.5):
            s.say(
                buyer,
                "그럼 집으로 보내 주세요. 주소는 #Address#[이에요/예요].",
                "제가 다시 오기 힘들어서요. #Address#[으로/로] 보내 주실래요?",
            )
            s.say(
                clerk,
                "네, 배송비는 저희가 부담하겠습니다.",
                "알겠습니다. 도착하는 대로 댁으로 보내 드릴게요.",
            )
            end = "집으로 보내 달라고 합니다"
        else:
            s.say(
                buyer,
                "그럼 그때 다시 올게요. 도착하면 #PhoneNumber#[으로/로] 연락 주세요.",
                "좋아요. 그때 찾으러 올게요.",
            )
            s.say(clerk, "네, 따로 빼 두겠습니다.", "네, 그때 뵙겠습니다.")
            end = "다시 찾으러 오기로 합니다"
        s.summarize(
            f"{buyer}[은/는] {why} 교환을 원하지만 매장에 {better}[이/가] 없습니다. {branch}점의 옷이 {day}까지 오면 {end}."
            if end.startswith("다시")
            else f"{buyer}[은/는] {why} 교환을 원하지만 매장에 {better}[이/가] 없어, {day}까지 {branch}점에서 옮겨 올 옷을 {end}.",
            f"{clerk}[은/는] {item}[을/를] 교환하러 온 {buyer}에게 {better}[이/가] {branch}점에만 있다며 {day}까지 가져다 놓겠다고 합니다.",
            f"{why} {better}[으로/로] 바꾸려는 {buyer}[을/를] 위해 {clerk}[은/는] {day}까지 {branch}점 재고를 들여오기로 합니다.",
        )
    elif ending == "refund":
        days = s.pick("3일", "4일", "5일", "일주일")
        if s.chance(0.4):
            s.say(
                clerk, "다른 상품으로 교환하시는 건 어떠세요?", "혹시 다른 옷으로 바꿔 보실 생각은 없으세요?"
            )
            s.say(buyer, "아니요, 그냥 환불해 주세요.", "둘러봤는데 마음에 드는 게 없더라고요.")
        s.say(
            clerk,
            f"그럼 {price} 전액 결제 취소해 드리겠습니다. 카드사에 따라 {days} 정도 걸려요.",
            f"네, {price} 환불해 드릴게요. 취소 확인까지 {days}쯤 걸립니다.",
        )
        s.say(
            buyer,
            "네, 괜찮아요. 감사합니다.",
            "알겠습니다. 수고하세요.",
            "생각보다 오래 걸리네요. 그래도 고맙습니다.",
        )
        s.say(
            clerk,
            "네, 다음에 또 들러 주세요.",
            "취소 영수증 여기 있습니다.",
            "불편을 드려 죄송합니다. 안녕히 가세요.",
        )
        s.summarize(
            f"{buyer}[은/는] {why} 환불을 요청하고, {clerk}[은/는] {price}[을/를] 결제 취소해 줍니다. 취소에는 {days} 정도 걸립니다.",
            f"{clerk}[은/는] {item}[을/를] 환불하러 온 {buyer}에게 {price}[을/를] 돌려주며 {days}쯤 걸린다고 안내합니다.",
            f"{why} 매장을 다시 찾은 {buyer}[은/는] {price}[을/를] 환불받기로 하고, 처리에는 {days} 정도가 걸린다는 말을 듣습니다.",
        )
    elif ending == "refused":
        if late:
            s.say(
                clerk,
                f"죄송하지만 구입하신 지 14일이 지나서 {want}이 어렵습니다.",
                f"{want}은 14일 안에만 가능한데 기간이 지났네요.",
            )
            rule = "14일이 지나서"
        else:
            s.say(
                clerk,
                f"죄송합니다. 택을 떼신 상품은 {want}해 드릴 수 없어요.",
                f"택이 없으면 {want}이 안 됩니다. 규정이 그래서요.",
            )
            rule = "택을 떼어서"
        s.say(
            buyer,
            "한 번도 안 입었는데 어떻게 안 될까요?",
            "그런 얘기는 못 들었는데요. 정말 안 돼요?",
            "살 때는 아무 말씀 없으셨잖아요.",
        )
        s.say(
            clerk,
            "영수증 뒷면에 적혀 있는 내용이라 저도 어쩔 수가 없네요.",
            "저희도 본사 규정을 따라야 해서요. 정말 죄송합니다.",
        )
        last = s.pick("give", "complain", "accept")
        if last == "give":
            kin = s.pick("동생", "언니", "사촌", "친구", "조카")
            s.say(buyer, f"할 수 없죠. {kin}에게 줘야겠네요.", f"그럼 그냥 {kin}한테 줄게요.")
            tail = f"옷을 {kin}에게 주기로 합니다"
        elif last == "complain":
            s.say(
                buyer,
                "이해가 안 되네요. 본사 고객센터에 전화해 볼게요.",
                "여기서 안 되면 고객센터에 직접 문의할게요.",
            )
            tail = "고객센터에 문의하겠다고 합니다"
        else:
            s.say(buyer, "알겠어요. 제가 확인을 못 했네요.", "어쩔 수 없네요. 그냥 입을게요.")
            tail = "어쩔 수 없이 받아들입니다"
        if s.chance(0.5):
            s.say(clerk, "도움을 드리지 못해 죄송합니다.", "네, 죄송합니다. 안녕히 가세요.")
        s.summarize(
            f"{buyer}[은/는] {why} {want}을 요청하지만, {rule} 안 된다는 말을 듣고 {tail}.",
            f"{clerk}[은/는] {rule} {item} {want}이 어렵다고 하고, {buyer}[은/는] {tail}.",
            f"{why} 매장을 찾은 {buyer}[은/는] {rule} {want}을 거절당하자 {tail}.",
        )
    elif ending == "credit":
        until = s.pick("6개월", "1년", "석 달")
        s.say(
            clerk,
            f"현금 환불은 안 되고, 대신 {price}만큼 매장 적립금으로 드릴 수 있어요.",
            f"결제 취소는 어렵지만 적립금 {price}으로 돌려드릴 수는 있습니다.",
        )
        s.say(buyer, "적립금은 언제까지 쓸 수 있어요?", "그건 유효 기간이 있나요?")
        s.say(clerk, f"오늘부터 {until} 동안 쓰실 수 있습니다.", f"{until} 안에만 쓰시면 돼요.")
        if s.chance(0.7):
            s.say(
                buyer,
                "그럼 적립금으로 받을게요. 번호는 #PhoneNumber#[이에요/예요].",
                "좋아요. 그렇게 해 주세요.",
            )
            s.say(clerk, f"네, {price} 적립해 드렸습니다.", "적립됐습니다. 다음에 또 오세요.")
            tail, short = "적립금으로 받기로 합니다", "받아들입니다"
        else:
            s.say(buyer, "여기 자주 안 오는데... 더 생각해 보고 올게요.", "좀 생각해 보고 다시 올게요.")
            s.say(clerk, "네, 편하실 때 다시 들러 주세요.", "네, 택은 떼지 말고 가져오세요.")
            tail, short = "생각해 보고 다시 오겠다고 합니다", "결정을 미룹니다"
        s.summarize(
            f"{buyer}[은/는] {why} 환불을 요청합니다. {clerk}[이/가] {until} 동안 쓸 수 있는 적립금 {price}[을/를] 제안하자 {tail}.",
            f"{clerk}[은/는] {item} 환불 대신 {price}[을/를] {until} 안에 쓰는 적립금으로 주겠다고 하고, {buyer}[은/는] {short}.",
            f"{why} 환불을 원한 {buyer}[은/는] {price} 적립금을 권유받고 {tail}.",
        )
    elif ending == "alter":
        day = s.pick(*SOON)
        part = s.pick("허리", "기장") if bottom else "품" if item == "조끼" else s.pick("소매", "품", "어깨")
        s.say(
            clerk,
            f"{better}[은/는] 품절이라 교환이 안 되는데, {part}[을/를] 줄여 드리면 어떨까요?",
            f"{better}[이/가] 다 팔렸어요. 대신 {part} 수선은 무료로 해 드릴 수 있어요.",
        )
        s.say(buyer, "수선하면 얼마나 걸려요?", "비용은 안 드는 거죠? 언제 찾으러 오면 돼요?")
        s.say(clerk, f"비용은 없고 {day}까지 해 놓을게요.", f"무료고요, {day}에 찾으러 오시면 됩니다.")
        s.say(buyer, "그럼 맡기고 갈게요.", "좋아요. 잘 부탁드려요.")
        if s.chance(0.5):
            s.say(clerk, "여기 성함과 연락처를 적어 주세요.", "다 되면 연락드릴게요. 번호가 어떻게 되세요?")
            s.say(
                buyer,
                "#PersonName#이고 번호는 #PhoneNumber#[이에요/예요].",
                "#PhoneNumber#[으로/로] 문자 주세요. 이름은 #PersonName#입니다.",
            )
        s.summarize(
            f"{buyer}[은/는] {why} 교환하려 하지만 {better}[이/가] 품절이라 {part}[을/를] 무료로 수선받고 {day}에 찾기로 합니다.",
            f"{clerk}[은/는] {item} 교환이 안 되는 대신 {part} 수선을 무료로 제안하고, {buyer}[은/는] {day}에 찾기로 하고 옷을 맡깁니다.",
            f"{why} 찾아온 {buyer}[은/는] 재고가 없자 {part}[을/를] 줄이기로 하고 옷을 맡깁니다. 수선은 {day}에 끝납니다.",
        )
    else:
        gap = s.rng.randrange(3, 16) * 1000
        dearer = s.chance(0.5)
        if friend:
            s.say(
                friend,
                f"그러지 말고 저 {other}[으로/로] 바꾸는 건 어때? 너한테 잘 어울리겠다.",
                f"야, 저기 걸린 {other} 예쁘다. 저걸로 바꿔.",
            )
            by = f"{friend}의 권유로"
            s.say(buyer, f"그럴까? 저 {other}[은/는] 얼마예요?", f"오, 괜찮네. {other} 가격이 어떻게 되나요?")
        else:
            s.say(
                clerk,
                f"혹시 이 {other}[은/는] 어떠세요? 이번 주에 들어온 옷이에요.",
                f"그럼 이 {other}[으로/로] 바꿔 보시는 건 어때요?",
            )
            by = f"{clerk}의 추천으로"
            s.say(buyer, "예쁘네요. 가격 차이가 있나요?", f"괜찮네요. {other}[은/는] 얼마예요?")
        if dearer:
            s.say(
                clerk,
                f"{cost + gap:,}원이라 {gap:,}원만 더 내시면 됩니다.",
                f"{gap:,}원이 더 비싸서 차액만 결제하시면 돼요.",
            )
            s.say(buyer, f"그럼 {gap:,}원은 카드로 낼게요.", "네, 차액은 카드로 할게요.")
            end = f"차액 {gap:,}원을 더 내고"
        else:
            s.say(
                clerk,
                f"이게 {gap:,}원 더 싸서 차액은 돌려드릴게요.",
                f"{gap:,}원 저렴해요. 차액은 환불해 드립니다.",
            )
            s.say(buyer, "잘됐네요. 그걸로 바꿀게요.", "그럼 그렇게 해 주세요.")
            end = f"차액 {gap:,}원을 돌려받고"
        s.say(clerk, "네, 바로 처리해 드리겠습니다.", "감사합니다. 포장해 드릴게요.")
        s.summarize(
            f"{buyer}[은/는] {why} 매장을 찾았다가 {by} {end} {other}[으로/로] 바꿉니다.",
            f"{item} {want}을 원하던 {buyer}[은/는] {by} {other}[을/를] 고르고, {end} 교환합니다.",
            f"{why} 찾아온 {buyer}[은/는] {end} {item} 대신 {other}[을/를] 가져가기로 합니다.",
        )


# Part, complaints, noun phrase for the summary, price range in thousands, whether cleaning may cure it.
FAULTS = [
    (
        "액정",
        ("휴대폰을 떨어뜨려서 액정이 깨졌어요.", "계단에서 놓쳤는데 액정에 금이 쫙 갔어요."),
        "액정이 깨진 휴대폰",
        120,
        350,
        False,
    ),
    (
        "배터리",
        ("배터리가 반나절도 못 버텨요.", "충전을 가득 해도 배터리가 점심때면 다 닳아요."),
        "배터리가 빨리 닳는 휴대폰",
        45,
        110,
        False,
    ),
    (
        "충전 단자",
        (
            "충전기를 꽂아도 충전이 안 돼요.",
            "선을 이리저리 돌려야 겨우 충전이 돼요. 오늘은 아예 충전이 안 되고요.",
        ),
        "충전이 안 되는 휴대폰",
        50,
        120,
        True,
    ),
    (
        "카메라",
        ("사진을 찍으면 카메라 화면이 뿌옇게 나와요.", "카메라를 켜면 안개가 낀 것처럼 흐려요."),
        "카메라가 흐린 휴대폰",
        70,
        180,
        True,
    ),
    (
        "스피커",
        (
            "통화할 때 스피커에서 상대방 소리가 안 들려요.",
            "벨 소리도 통화 소리도 안 들려요. 스피커가 나간 것 같아요.",
        ),
        "소리가 안 들리는 휴대폰",
        40,
        95,
        True,
    ),
    (
        "전원 버튼",
        ("전원 버튼이 안 눌려서 화면을 못 켜요.", "전원 버튼이 뻑뻑하더니 이제는 안 눌려요."),
        "전원 버튼이 안 눌리는 휴대폰",
        35,
        85,
        True,
    ),
    (
        "메인보드",
        ("물에 빠뜨린 뒤로 휴대폰 전원이 안 켜져요.", "설거지하다가 물에 빠뜨렸는데 전원이 안 들어와요."),
        "물에 빠진 휴대폰",
        180,
        400,
        False,
    ),
]


def _phone_repair(s: Scene) -> None:
    owner, tech = s.speaker(GIVEN), s.speaker(GIVEN)
    part, complaints, phone, low, high, can_clean = s.rng.choice(FAULTS)
    price = won(s.rng, low * 1000, high * 1000, 5000)
    s.topic = s.pick("휴대폰 수리 문의", f"휴대폰 {part} 고장", "휴대폰 수리점 방문")
    s.say(owner, "안녕하세요. ", "저기, 수리 좀 맡기려고요. ", "혹시 지금 수리되나요? ")
    s.say(owner, *complaints)
    s.say(tech, "네, 잠깐 볼게요. 언제부터 그랬나요?", "한번 보여 주시겠어요? 언제부터 이랬어요?")
    s.say(owner, "어젯밤부터요.", "그저께부터 그랬어요.", "오늘 아침부터예요.", "며칠 된 것 같아요.")
    if s.chance(0.4):
        s.say(tech, "쓰신 지는 얼마나 되셨어요?", "구입하신 지 오래되셨나요?")
        s.say(
            owner,
            *(
                ["이제 여섯 달 됐어요.", "아직 1년도 안 됐어요."]
                if (new := s.chance(0.4))
                else ["3년 넘게 썼어요.", "한 2년 반쯤 됐을 거예요."]
            ),
        )
    else:
        new = False
    options = ["wait", "leave", "giveup", "hold", "bargain"] + (["clean"] if can_clean else [])
    ending = "warranty" if new and part not in ("액정", "메인보드") else s.pick(*options)
    if ending == "clean":
        where = {
            "충전 단자": "단자 안",
            "카메라": "렌즈 안쪽",
            "스피커": "스피커 구멍",
            "전원 버튼": "버튼 틈",
        }[part]
        s.say(
            tech,
            f"아, {where}에 먼지가 잔뜩 끼었네요. 청소만 해도 될 것 같아요.",
            f"고장이 아니라 {where}에 먼지가 쌓인 거예요. 바로 청소해 드릴게요.",
        )
        s.say(
            owner,
            "정말요? 다행이네요. 비용은 얼마예요?",
            f"그럼 {part}[은/는] 안 갈아도 되는 거예요? 청소비는요?",
        )
        s.say(tech, "이 정도는 그냥 해 드려요.", "돈은 안 받을게요. 금방 끝나요.")
        s.say(owner, "감사합니다. 큰돈 나갈 줄 알았어요.", "정말 고맙습니다. 다음에 또 올게요.")
        s.summarize(
            f"{owner}[은/는] {phone}[을/를] 맡기러 오지만 {where}에 먼지가 낀 것으로 밝혀져 무료로 청소받습니다.",
            f"{tech}[은/는] {phone}[을/를] 살펴보고 {where}의 먼지가 원인이라며 돈을 받지 않고 청소해 줍니다.",
            f"{phone} 때문에 수리점을 찾은 {owner}[은/는] 부품을 바꾸지 않고 {where} 청소만으로 문제를 해결합니다.",
        )
        return
    if ending == "warranty":
        days = s.pick("사흘", "나흘", "닷새", "일주일")
        s.say(
            tech,
            "보증 기간이 남아 있어서 여기보다 공식 서비스 센터로 가시는 게 좋아요.",
            "1년이 안 됐으면 공식 센터에서 무상으로 고쳐 줘요.",
        )
        s.say(owner, "아, 그래요? 거기는 공짜로 해 주나요?", "센터에 맡기면 돈이 안 들어요?")
        s.say(
            tech,
            f"네, {part} 교체는 무상이에요. 대신 {days} 정도 걸릴 거예요.",
            f"{part} 문제는 무료로 처리돼요. 시간은 {days}쯤 잡으셔야 해요.",
        )
        s.say(
            owner,
            "알려 주셔서 감사합니다. 그쪽으로 가 볼게요.",
            "솔직하게 말씀해 주셔서 고마워요. 센터로 갈게요.",
        )
        s.summarize(
            f"{owner}[은/는] {phone}[을/를] 고치러 왔다가 보증 기간이 남아 무상 수리가 된다는 말을 듣고 공식 센터로 가기로 합니다.",
            f"{tech}[은/는] {part}[을/를] 무상으로 고칠 수 있는 공식 센터를 권하고, {days} 정도 걸린다고 알려 줍니다.",
            f"{phone} 때문에 온 {owner}에게 {tech}[은/는] {days}쯤 걸려도 무료인 공식 센터를 추천합니다.",
        )
        return
    s.say(
        tech,
        f"{part}[을/를] 갈아야겠는데요. {price} 나옵니다.",
        f"이건 {part} 교체를 해야 해요. 비용은 {price}이에요.",
        f"열어 봐야 알지만 {part} 문제 같네요. 교체하면 {price}입니다.",
    )
    if s.chance(0.3):
        s.say(owner, "안에 있는 사진은 안 지워지나요?", "혹시 자료가 날아가지는 않죠?")
        s.say(
            tech,
            "부품만 바꾸는 거라 자료는 그대로예요.",
            "걱정 마세요. 그래도 중요한 건 미리 옮겨 두시면 좋아요.",
        )
    if ending == "wait":
        minutes = s.rng.choice([20, 30, 40, 50, 90])
        s.say(owner, "시간은 얼마나 걸려요?", "오늘 바로 되나요?")
        s.say(tech, f"부품이 있어서 {minutes}분이면 돼요.", f"네, {minutes}분만 기다리시면 됩니다.")
        cafe = s.pick("옆 카페", "앞 서점", "근처 편의점", "건너편 빵집")
        s.say(owner, f"그럼 {cafe}에 있다가 올게요.", f"네, 고쳐 주세요. {cafe}에서 기다릴게요.")
        s.summarize(
            f"{owner}[은/는] {phone}[을/를] {price}에 고치기로 하고, 수리하는 {minutes}분 동안 {cafe}에 가 있기로 합니다.",
            f"{tech}[은/는] {part} 교체에 {price}[이/가] 들고 {minutes}분이 걸린다고 하고, {owner}[은/는] 수리를 맡깁니다.",
            f"수리점을 찾은 {owner}[은/는] {price}에 {part}[을/를] 교체하기로 하고 {minutes}분 동안 기다립니다.",
        )
    elif ending == "leave":
        day, at = s.pick("내일", "모레", *WEEK), clock(s.rng, 10, 18)
        s.say(
            tech,
            f"다만 부품을 주문해야 해서 {day} {at}에나 찾으실 수 있어요.",
            f"그런데 지금 부품이 없어요. {day} {at}까지는 해 놓을게요.",
        )
        s.say(owner, "그때까지 연락은 어떻게 하죠?", "그때까지 쓸 휴대폰이 없는데요.")
        loan = s.chance(0.6)
        if loan:
            s.say(tech, "그동안 쓰실 대여폰을 드릴게요.", "대여폰이 하나 있으니 그걸 쓰세요.")
            s.say(owner, "그럼 안심이네요. 맡기고 갈게요.", "잘됐네요. 그렇게 할게요.")
        else:
            s.say(
                tech,
                "죄송하지만 빌려드릴 휴대폰은 없어요.",
                "대여폰이 다 나가서요. 다른 연락처를 남겨 주세요.",
            )
            s.say(
                owner,
                "그럼 집으로 전화 주세요. #PhoneNumber#[이에요/예요].",
                "할 수 없죠. 동생 번호로 연락 주세요. #PhoneNumber#입니다.",
            )
        s.say(tech, "네, 다 되면 연락드릴게요.", "접수증 여기 있습니다. 찾으러 오실 때 보여 주세요.")
        mid = "대여폰을 빌린 뒤" if loan else "다른 연락처를 남기고"
        s.summarize(
            f"{owner}[은/는] {phone}[을/를] 맡기고 {day} {at}에 찾기로 합니다. {part} 교체 비용은 {price}입니다.",
            f"부품이 없어 {tech}[은/는] {day} {at}까지 {part}[을/를] 교체하기로 하고, {owner}[은/는] {mid} 휴대폰을 맡깁니다.",
            f"{tech}[이/가] {price}짜리 {part} 교체를 안내하자 {owner}[은/는] {mid} {day} {at}까지 기다리기로 합니다.",
        )
    elif ending == "giveup":
        extra = s.pick("부모님", "누나", "형", "동생", "회사 동료")
        s.say(
            owner,
            "그렇게 비싸요? 그 돈이면 새로 사는 게 낫겠네요.",
            f"{price}이나요? 차라리 새 휴대폰을 살까 봐요.",
        )
        s.say(
            tech,
            "오래 쓰셨으면 그것도 방법이죠." if not new else "기능만 괜찮으시면 중고도 한번 보세요.",
            "요즘은 중고도 상태가 좋아요.",
        )
        verb = s.pick("쓰기로", "알아보기로")
        if verb == "쓰기로":
            s.say(
                owner,
                f"{extra}한테 남는 휴대폰이 있다니까 일단 그걸 쓸게요.",
                f"안 고칠래요. {extra}[이/가] 안 쓰는 휴대폰을 빌려 쓰면 돼요.",
            )
        else:
            s.say(
                owner,
                f"우선 {extra}한테 남는 휴대폰이 있는지 물어볼게요.",
                f"안 고치고 {extra}한테 안 쓰는 휴대폰이 있나 알아볼게요.",
            )
        s.say(tech, "네, 그러세요. 자료 옮기는 건 도와드릴게요.", "네, 마음 바뀌시면 다시 오세요.")
        s.summarize(
            f"{owner}[은/는] {phone} 수리비가 {price}이라는 말에 수리를 포기하고 {extra}의 휴대폰을 {verb} 합니다.",
            f"{tech}[이/가] {part} 교체에 {price}[이/가] 든다고 하자 {owner}[은/는] 비싸다며 고치지 않기로 합니다.",
            f"{part} 수리비 {price}[이/가] 부담스러운 {owner}[은/는] {extra}에게 있는 휴대폰을 {verb} 합니다.",
        )
    elif ending == "hold":
        s.say(
            owner, "생각보다 비싸네요. 다른 데도 알아보고 올게요.", "음, 다른 가게 가격도 좀 비교해 보고요."
        )
        s.say(
            tech,
            "네, 그런데 정품 부품인지 꼭 확인하세요.",
            "그러세요. 너무 싼 데는 부품이 안 좋을 수 있어요.",
        )
        until = clock(s.rng, 18, 21)
        s.say(owner, "여기는 몇 시까지 하세요?", "오늘 몇 시에 문 닫으세요?")
        s.say(tech, f"{until}까지 해요.", f"{until}에 닫습니다. 그 전에만 오세요.")
        s.summarize(
            f"{owner}[은/는] {part} 교체비가 {price}이라는 말을 듣고 다른 가게와 비교해 본 뒤 결정하기로 합니다.",
            f"{tech}[은/는] {phone}의 수리비로 {price}[을/를] 부르고, 가격을 더 알아보겠다는 {owner}에게 부품을 잘 확인하라고 합니다.",
            f"{phone}[을/를] 가져온 {owner}[은/는] {price}[이/가] 비싸다고 느껴 수리를 미루고, 가게가 {until}까지 연다는 것을 알아 둡니다.",
        )
    else:
        off = s.pick("5,000원", "10,000원", "15,000원", "20,000원")
        s.say(owner, "조금만 깎아 주시면 안 될까요?", "현금으로 드리면 좀 빼 주실 수 있어요?")
        if s.chance(0.65):
            s.say(tech, f"그럼 {off} 빼 드릴게요. 더는 어려워요.", f"좋습니다. {off} 할인해 드리죠.")
            s.say(owner, "감사합니다. 바로 고쳐 주세요.", "네, 그럼 부탁드릴게요.")
            end, short = f"{off} 할인을 받아 수리를 맡깁니다", f"{off}[을/를] 깎아 줍니다"
        else:
            gift = s.pick("보호 필름", "휴대폰 케이스", "충전선")
            s.say(
                tech,
                f"부품값이 있어서 할인은 어렵고요, {gift}[을/를] 하나 드릴게요.",
                f"가격은 그대로지만 {gift}[은/는] 서비스로 드릴 수 있어요.",
            )
            s.say(owner, "그것도 좋네요. 그럼 고쳐 주세요.", "알겠어요. 그렇게 해 주세요.")
            end, short = (
                f"할인 대신 {gift}[을/를] 받기로 하고 수리를 맡깁니다",
                f"할인 대신 {gift}[을/를] 주기로 합니다",
            )
        s.say(tech, "네, 앉아서 조금만 기다려 주세요.", "네, 금방 해 드리겠습니다.")
        s.summarize(
            f"{owner}[은/는] {phone}의 수리비 {price}[을/를] 깎아 달라고 하고, {end}.",
            f"{tech}[은/는] {part} 교체비가 {price}이라고 한 뒤, 값을 깎으려는 {owner}에게 {short}.",
            f"{part} 교체에 {price}[이/가] 든다는 말에 {owner}[은/는] 흥정하고, {end}.",
        )


def _phone_plan(s: Scene) -> None:
    user, clerk = s.speaker(GIVEN), s.speaker(GIVEN)
    now, new = s.rng.randrange(55, 90) * 1000, s.rng.randrange(25, 50) * 1000
    used = s.rng.randint(3, 9)
    giga = s.rng.choice([10, 12, 15, 20])
    parent = s.speaker(GIVEN) if s.chance(0.45) else None
    mom = s.pick("엄마", "아빠")
    ending = s.pick("switch", "keep", "contract", "bundle", "upgrade")
    s.topic = s.pick(
        "휴대폰 요금제 상담",
        "요금제 변경 문의",
        "통신 요금 줄이기" if ending != "upgrade" else "요금제 올리기",
    )
    if parent:
        s.say(
            user,
            f"안녕하세요. {mom} 요금제 때문에 같이 왔는데요, 지금 한 달에 {now:,}원씩 나와요.",
            f"저희 {mom} 휴대폰 요금이 매달 {now:,}원이나 나와서 상담 좀 받으려고요.",
        )
        whose, subject = f"{mom}의 ", f"{user}[과/와] {parent}"
    else:
        s.say(
            user,
            f"휴대폰 요금이 매달 {now:,}원씩 나오는데 요금제를 바꿀 수 있을까요?",
            f"안녕하세요. 요금제 상담 좀 받고 싶은데요. 지금 월 {now:,}원짜리를 쓰고 있어요.",
        )
        whose, subject = "", str(user)
    who = parent or user
    s.say(
        clerk, "네, 앉으세요. 데이터는 한 달에 얼마나 쓰세요?", "어서 오세요. 데이터를 많이 쓰시는 편인가요?"
    )
    if ending == "upgrade":
        s.say(
            who,
            f"요즘 영상을 많이 봐서 {giga}기가로는 늘 모자라요.",
            f"지금 {giga}기가인데 보름이면 다 써 버려요.",
        )
        more = f"{now + s.rng.randrange(5, 16) * 1000:,}원"
        s.say(
            clerk,
            f"그럼 무제한 요금제가 나아요. 한 달에 {more}입니다.",
            f"그러면 {more}짜리 무제한 요금제로 올리시는 게 어때요?",
        )
        if parent:
            s.say(parent, "그건 너무 비싼 거 아니니?", "얘, 돈이 더 드는데 괜찮을까?")
            s.say(
                user, f"추가 요금 내는 것보다는 싸, {mom}.", f"괜찮아, {mom}. 데이터 걱정 없이 쓰는 게 낫지."
            )
        else:
            s.say(
                user,
                "지금보다 비싸지네요. 그래도 추가 요금보다는 쌀까요?",
                "데이터를 따로 사는 것보다 싼가요?",
            )
            s.say(
                clerk,
                "네, 매번 데이터를 따로 사시는 것보다 이득이에요.",
                "그럼요. 두 번만 충전해도 그 값이 넘어요.",
            )
        s.say(who, "그럼 무제한으로 바꿔 주세요.", "네, 그걸로 할게요.")
        s.say(clerk, "네, 오늘부터 바로 적용됩니다.", "알겠습니다. 다음 달 1일부터 적용돼요.")
        s.summarize(
            f"{subject}[은/는] {giga}기가로는 데이터가 모자라 {more}짜리 무제한 요금제로 바꾸기로 합니다.",
            f"{clerk}[은/는] 데이터가 부족하다는 말에 한 달 {more}인 무제한 요금제를 권하고, {subject}[은/는] 그 제안을 받아들입니다.",
            f"{whose}데이터가 늘 부족해서 {subject}[은/는] 월 {now:,}원 요금제를 {more}짜리 무제한 요금제로 올립니다.",
        )
        return
    s.say(
        who,
        f"한 달에 {used}기가도 안 써요.",
        f"많이 써야 {used}기가 정도예요.",
        f"집에서는 와이파이를 써서 {used}기가면 충분해요.",
    )
    plan = f"{new:,}원"
    s.say(
        clerk,
        f"그럼 데이터 {giga}기가에 월 {plan}인 요금제가 있어요.",
        f"{giga}기가를 주는 {plan}짜리 요금제면 충분하시겠네요.",
    )
    if parent and s.chance(0.7):
        s.say(parent, "통화는 마음대로 쓸 수 있는 거예요?", "전화를 많이 하는데 통화료는 따로 내야 하나요?")
        s.say(clerk, "통화와 문자는 무제한이에요.", "통화는 얼마를 하셔도 요금이 같으니 걱정 마세요.")
    elif s.chance(0.4):
        s.say(user, "속도가 느려지거나 하지는 않나요?", "데이터 속도는 지금이랑 같아요?")
        s.say(clerk, f"{giga}기가를 다 쓰기 전까지는 똑같아요.", "속도는 똑같으니 걱정하지 마세요.")
    if ending == "switch":
        start = s.pick("오늘부터", "내일부터", "다음 달 1일부터")
        s.say(who, "그럼 그걸로 바꿔 주세요. 언제부터 적용돼요?", "좋네요. 바로 바꿀 수 있나요?")
        s.say(
            clerk,
            f"{start} 적용됩니다. 신분증 부탁드려요.",
            f"네, {start} 새 요금으로 계산돼요. 생년월일을 말씀해 주세요.",
        )
        s.say(who, "#DateOfBirth#입니다.", "여기요. 생년월일은 #DateOfBirth#[이에요/예요].")
        s.summarize(
            f"{subject}[은/는] 매달 {now:,}원이 나오는 {whose}요금제를 {start} {plan}짜리로 바꾸기로 합니다.",
            f"{clerk}[은/는] 데이터를 {used}기가 쓴다는 말을 듣고 {giga}기가에 {plan}인 요금제를 추천하며 변경해 줍니다.",
            f"요금이 부담된 {subject}[은/는] 상담을 받고 {start} {giga}기가에 월 {plan}인 요금제를 쓰기로 합니다.",
        )
    elif ending == "contract":
        month, fee = s.rng.randint(2, 12), won(s.rng, 60000, 200000, 10000)
        s.say(who, "지금 바꾸면 위약금이 있나요?", "약정이 남아 있는 것 같은데 괜찮을까요?")
        s.say(
            clerk,
            f"조회해 보니 약정이 {month}월까지네요. 지금 바꾸면 위약금이 {fee}이에요.",
            f"아, {month}월까지 약정이라 위약금 {fee}이 나옵니다.",
        )
        s.say(who, f"그럼 {month}월에 다시 올게요.", f"위약금이 더 크네요. {month}월 지나고 바꿀게요.")
        if s.chance(0.5):
            s.say(clerk, "네, 그때 문자로 알려 드릴까요?", "약정이 끝날 때 연락드릴까요?")
            s.say(who, "네, #PhoneNumber#[으로/로] 보내 주세요.", "네, 그래 주시면 고맙죠.")
        else:
            s.say(
                clerk,
                "그게 낫겠네요. 그때 다시 상담해 드릴게요.",
                "네, 그때 오시면 더 좋은 걸로 찾아 드릴게요.",
            )
        s.summarize(
            f"{subject}[은/는] {plan}짜리 요금제로 바꾸려 하지만 위약금 {fee} 때문에 약정이 끝나는 {month}월로 미룹니다.",
            f"{clerk}[은/는] 약정이 {month}월까지라 지금 바꾸면 위약금이 {fee}이라고 알리고, {subject}[은/는] 변경을 미룹니다.",
            f"월 {now:,}원이 부담스러운 {subject}[은/는] 위약금 {fee}[을/를] 피하려고 {month}월 이후에 요금제를 바꾸기로 합니다.",
        )
    elif ending == "bundle":
        people, off = s.pick("세 명", "네 명", "다섯 명"), won(s.rng, 8000, 22000, 1000)
        s.say(clerk, "혹시 가족분들도 저희 통신사를 쓰세요?", "참, 가족분들도 같은 통신사이신가요?")
        s.say(user, f"네, {people} 다 같은 통신사예요.", f"네, 우리 식구 {people}[이/가] 다 같은 데를 써요.")
        s.say(
            clerk,
            f"그럼 가족 결합으로 묶으시면 매달 {off}이 더 할인돼요.",
            f"그러면 가족 결합으로 매달 {off}을 더 아끼실 수 있어요.",
        )
        s.say(user, "그런 게 있었군요! 결합도 같이 해 주세요.", "그럼 당장 해야죠. 뭐가 필요해요?")
        s.say(
            clerk, "가족 관계 증명서만 있으면 됩니다.", "네, 가족 관계 증명서를 가져오시면 바로 해 드릴게요."
        )
        s.summarize(
            f"{subject}[은/는] 요금제 상담을 하다가 가족 {people}[을/를] 결합하면 매달 {off}[을/를] 더 아낀다는 말을 듣고 신청하려 합니다.",
            f"{clerk}[은/는] {plan}짜리 요금제와 함께 매달 {off}[이/가] 할인되는 가족 결합을 안내하고 필요한 서류를 알려 줍니다.",
            f"매달 {now:,}원을 내던 요금을 줄이려고 {subject}[은/는] 가족 {people}의 결합 할인 {off}[을/를] 받기로 합니다.",
        )
    else:
        perk = s.pick("영상 구독", "음악 구독", "멤버십 할인", "단말기 보험")
        s.say(
            clerk,
            f"다만 지금 받으시는 {perk} 혜택은 없어져요.",
            f"대신 요금제를 바꾸면 {perk} 혜택이 빠집니다.",
        )
        s.say(
            who, f"그래요? {perk}[은/는] 꼭 필요한데요.", f"아, 그건 곤란한데. {perk} 혜택을 자주 쓰거든요."
        )
        if parent:
            s.say(user, f"그럼 {mom}, 그냥 쓰던 거 쓰자.", f"그럼 바꾸지 말까, {mom}?")
            s.say(parent, "그래, 그게 낫겠다.", "그러자. 괜히 바꿀 것 없지.")
        else:
            s.say(user, "그럼 그냥 쓰던 걸 쓸게요.", "그러면 안 바꾸는 게 낫겠네요.")
        s.say(clerk, "네, 필요하시면 언제든 다시 오세요.", "그러세요. 더 좋은 요금제가 나오면 알려 드릴게요.")
        s.summarize(
            f"{subject}[은/는] {plan}짜리 요금제를 권유받지만 {perk} 혜택이 없어진다는 말에 지금 요금제를 유지합니다.",
            f"{clerk}[이/가] {giga}기가에 {plan}인 요금제를 추천하지만 {subject}[은/는] {perk} 때문에 바꾸지 않습니다.",
            f"월 {now:,}원의 요금을 줄이려던 {subject}[은/는] {perk} 혜택을 잃고 싶지 않아 쓰던 요금제를 그대로 쓰기로 합니다.",
        )


def phone_shop(s: Scene) -> None:
    """A customer has a phone repaired, or asks about the monthly plan, alone or with a parent."""
    if s.chance(0.55):
        _phone_repair(s)
    else:
        _phone_plan(s)


SITUATIONS = [clothes_return, phone_shop]
