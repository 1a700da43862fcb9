"""Situations around food: the table, the order, the kitchen."""

from competitions.daily_talk.generator.engine import Scene
from competitions.daily_talk.generator.words import GIVEN, clock, won

DISHES = [
    "비빔밥",
    "갈비탕",
    "순두부찌개",
    "김치찌개",
    "냉면",
    "돈가스",
    "칼국수",
    "제육볶음",
    "해물파전",
    "떡볶이",
    "만둣국",
    "삼계탕",
    "육개장",
    "잡채밥",
    "콩국수",
    "불고기정식",
]


def wrong_order(s: Scene) -> None:
    """A guest gets another dish than ordered; the restaurant answers in one of several ways."""
    guest, staff = s.speaker(GIVEN), s.speaker(GIVEN)
    wanted, got = s.some(DISHES, 2)
    s.topic = s.pick("식당 주문 실수", "잘못 나온 음식", f"{wanted} 주문")
    s.say(
        guest,
        f"저기요, 저는 {wanted}[을/를] 시켰는데 {got}[이/가] 나왔어요.",
        f"여기요. 이거 {got} 아닌가요? 저희는 {wanted}[을/를] 주문했는데요.",
        f"죄송한데 음식이 바뀐 것 같아요. {got} 말고 {wanted}[을/를] 부탁드렸거든요.",
    )
    if s.chance(0.4):
        table = s.rng.randint(2, 19)
        s.say(
            staff,
            f"몇 번 테이블이신가요? 아, {table}번이시네요.",
            f"잠시만요, {table}번 테이블 주문서를 볼게요.",
        )
        s.say(guest, "네, 맞아요. 천천히 보세요.", "네, 여기 영수증도 있어요.")
    s.say(
        staff,
        "아이고, 정말 죄송합니다. 주문이 잘못 들어갔네요.",
        "확인해 보니 옆 테이블 음식과 바뀌었습니다. 죄송합니다.",
        "제가 주문을 잘못 적었나 봅니다. 정말 죄송해요.",
    )
    ending = s.pick("remake", "keep", "refund", "discount")
    if ending == "remake":
        minutes = s.rng.choice([5, 7, 10, 12, 15, 20])
        s.say(guest, "얼마나 기다려야 하나요?", f"그럼 {wanted}[은/는] 언제 나올까요?")
        s.say(
            staff,
            f"{minutes}분만 기다려 주시면 바로 새로 해 드리겠습니다.",
            f"지금 바로 만들면 {minutes}분 정도 걸립니다.",
        )
        s.say(guest, "네, 그럼 기다릴게요.", "알겠어요. 그 정도면 괜찮아요.")
        if s.chance(0.4):
            s.say(staff, "감사합니다. 음료수는 서비스로 드릴게요.", "이해해 주셔서 감사합니다.")
        s.summarize(
            f"{guest}[이/가] 주문한 {wanted} 대신 {got}[이/가] 나왔습니다. {staff}[은/는] 사과하고 {minutes}분 안에 음식을 새로 만들어 주기로 합니다.",
            f"{staff}의 식당에서 {guest}[은/는] {wanted}[을/를] 시켰지만 {got}[을/를] 받았고, 새 음식을 {minutes}분 기다리기로 합니다.",
            f"{guest}[은/는] 음식이 {got}[으로/로] 잘못 나왔다고 알리고, {staff}[은/는] {wanted}[을/를] {minutes}분 만에 다시 내오겠다고 합니다.",
        )
    elif ending == "keep":
        s.say(staff, f"{wanted}[을/를] 다시 해 드릴까요?", "바로 새로 준비해 드릴까요?")
        s.say(
            guest,
            f"아니에요, 시간이 없으니 그냥 {got}[을/를] 먹을게요.",
            f"괜찮아요. {got}도 좋아하니까 이대로 먹을게요.",
        )
        s.say(
            staff,
            "그럼 음료수라도 서비스로 드리겠습니다.",
            "정말 감사합니다. 대신 만두 한 접시 드릴게요.",
            "네, 감사합니다. 다음에는 꼭 제대로 모시겠습니다.",
        )
        s.summarize(
            f"{guest}[은/는] {wanted}[을/를] 주문했지만 {got}[이/가] 나왔고, 다시 만들지 않고 그대로 먹기로 합니다.",
            f"{staff}[이/가] 잘못 나온 음식을 바꿔 주겠다고 하지만 {guest}[은/는] {got}[을/를] 그냥 먹겠다고 합니다.",
            f"{wanted} 대신 {got}[이/가] 나왔으나 {guest}[은/는] 괜찮다며 바꾸지 않습니다.",
        )
    elif ending == "refund":
        leave = clock(s.rng, 12, 20)
        s.say(
            guest,
            f"{leave}까지 가야 해서 더는 못 기다리겠어요. 환불해 주세요.",
            f"제가 {leave}에 약속이 있어서요. 그냥 취소할게요.",
        )
        s.say(staff, "네, 바로 환불 처리해 드리겠습니다.", "알겠습니다. 결제를 취소해 드릴게요.")
        if s.chance(0.5):
            s.say(guest, "네, 고맙습니다.", "빨리 처리해 주셔서 감사해요.")
        s.summarize(
            f"{guest}[은/는] {wanted} 대신 {got}[이/가] 나오자 {leave} 약속 때문에 환불을 받습니다.",
            f"주문이 {got}[으로/로] 잘못 나왔고, {leave}까지 가야 하는 {guest}[은/는] {staff}에게 환불을 요청합니다.",
            f"{staff}[은/는] {wanted} 주문을 실수했고, 시간이 없는 {guest}의 결제를 취소해 줍니다.",
        )
    else:
        off = won(s.rng, 1000, 5000)
        s.say(
            staff,
            f"괜찮으시면 그대로 드시고 {off}을 할인해 드리면 어떨까요?",
            f"{got}[을/를] 드시면 {off}을 깎아 드릴 수 있습니다.",
        )
        s.say(guest, "그럼 그렇게 할게요.", "좋아요. 그냥 먹을게요.")
        s.say(staff, "네, 계산하실 때 말씀해 주세요.", "감사합니다. 맛있게 드세요.")
        s.summarize(
            f"{guest}[은/는] {wanted} 대신 나온 {got}[을/를] 먹는 대가로 {off}을 할인받습니다.",
            f"{staff}[은/는] 잘못 나온 {got}[을/를] 그대로 먹으면 {off}을 깎아 주겠다고 하고 {guest}[은/는] 받아들입니다.",
            f"주문한 {wanted}[이/가] 나오지 않아 {guest}[이/가] 항의하자 {staff}[은/는] {off} 할인을 제안합니다.",
        )


def lunch_plan(s: Scene) -> None:
    """Two friends or colleagues choose where to eat; one cannot eat something."""
    a, b = s.speaker(GIVEN), s.speaker(GIVEN)
    first, second = s.some(DISHES, 2)
    when = clock(s.rng, 11, 13)
    s.topic = s.pick("점심 메뉴 정하기", "점심 약속")
    call = s.level(f"{b.name} 씨, ", f"{b.name}[아/야], ") if s.chance(0.6) else ""
    b_name = b.name if call else str(b)
    s.say(
        a,
        call + s.level(f"오늘 점심에 {first} 어떠세요?", f"오늘 점심 {first} 어때?"),
        call + s.level(f"점심으로 {first}[을/를] 먹으러 갈까요?", f"점심에 {first} 먹으러 갈래?"),
    )
    reason = s.pick("어제 먹었다", "속이 안 좋다", "다이어트 중이다")
    because, said_polite, said_casual = {
        "어제 먹었다": ("어제 먹어서", "그건 어제 먹었어요.", "그거 어제 먹었어."),
        "속이 안 좋다": (
            "속이 좋지 않아서",
            "속이 좀 안 좋아서 부담스러워요.",
            "나 속이 좀 안 좋아서 부담돼.",
        ),
        "다이어트 중이다": ("다이어트 중이라", "요즘 다이어트를 하고 있어서요.", "나 요즘 다이어트하잖아."),
    }[reason]
    s.say(b, s.level(f"{said_polite} {second}[은/는] 어떨까요?", f"{said_casual} {second}[은/는] 어때?"))
    agreed = s.chance(0.7)
    if s.chance(0.3):
        s.say(a, s.level("그 집은 줄이 길지 않나요?", "거기 줄 길지 않아?"))
        s.say(b, s.level("조금 일찍 나가면 괜찮아요.", "좀 일찍 나가면 괜찮아."))
    if agreed:
        s.say(a, s.level(f"좋아요. {when}에 로비에서 만나요.", f"좋아. {when}에 정문에서 보자."))
        s.say(b, s.level("네, 식당 앞에서 만나요.", "그래, 이따 봐."))
        s.summarize(
            f"{a}[은/는] {first}[을/를] 먹자고 하지만 {b_name}[은/는] {because} {second}[을/를] 제안합니다. 두 사람은 {when}에 만나기로 합니다.",
            f"{a}[과/와] {b_name}[은/는] 점심으로 {second}[을/를] 먹기로 하고 {when}에 만날 약속을 합니다.",
            f"{b_name}[이/가] {because} {first} 대신 {second}[을/를] 먹자고 하고 {a}[은/는] 동의합니다.",
        )
    else:
        s.say(
            a,
            s.level(
                f"저는 {first}[이/가] 꼭 먹고 싶어서요. 오늘은 따로 먹을까요?",
                f"난 {first}[이/가] 너무 먹고 싶은데. 오늘은 따로 먹을까?",
            ),
        )
        s.say(b, s.level("그래요. 내일은 꼭 같이 먹어요.", "그래, 내일은 꼭 같이 먹자."))
        s.summarize(
            f"{a}[과/와] {b_name}[은/는] 메뉴를 정하지 못해 오늘은 점심을 따로 먹기로 합니다.",
            f"{a}[은/는] {first}[을/를], {b_name}[은/는] {second}[을/를] 원해서 두 사람은 내일 같이 먹기로 합니다.",
            f"{b_name}[은/는] {because} {first}[을/를] 거절하고, 두 사람은 각자 점심을 먹기로 합니다.",
        )


SITUATIONS = [wrong_order, lunch_plan]
