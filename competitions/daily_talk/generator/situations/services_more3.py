"""Situations on the phone: a hotel reservation is changed, a broken appliance is reported."""

from competitions.daily_talk.generator.engine import Scene
from competitions.daily_talk.generator.words import FULL_NAMES, GIVEN, clock, won

ROOMS = [
    "더블룸",
    "트윈룸",
    "온돌방",
    "바다 전망 객실",
    "가족실",
    "스위트룸",
    "복층 객실",
    "산 전망 객실",
    "3인실",
    "독채",
]
PLANS = ["출장", "가족 여행", "결혼기념일 여행", "부모님 칠순 여행", "동창 모임", "회사 연수", "휴가"]
CAUSES = [
    "비행기 시간이 바뀌어서",
    "아이가 열이 나서",
    "회사 일정이 바뀌어서",
    "파도가 높아 배가 안 떠서",
    "어머니가 입원하셔서",
    "기차표를 못 구해서",
    "몸살이 심하게 나서",
]
FRIEND_CAUSES = ["같이 가기로 한 친구가 다쳐서", "친구가 휴가를 못 내서", "시험 날짜와 겹쳐서"]
# Why another room is wanted: rooms it may be booked instead of, and the room wanted.
ROOM_WISHES = {
    "부모님이 침대를 불편해하셔서": (["더블룸", "트윈룸", "3인실"], "온돌방"),
    "아이가 생각보다 많이 뛰어서": (["더블룸", "트윈룸", "가족실", "온돌방"], "1층 객실"),
    "한 명이 더 오게 돼서": (["더블룸", "트윈룸", "3인실"], "4인실"),
    "창밖 경치가 좋은 방을 원해서": (["더블룸", "트윈룸", "온돌방", "가족실"], "호수 전망 객실"),
    "침대를 따로 쓰고 싶어서": (["더블룸", "스위트룸"], "트윈룸"),
}


def hotel_change(s: Scene) -> None:
    """A guest calls a hotel to change or cancel a booking, sometimes with a companion putting in a word."""
    guest, clerk = s.speaker(FULL_NAMES), s.speaker(GIVEN)
    mate = s.speaker(GIVEN) if s.chance(0.4) else None
    month, start = s.rng.randint(1, 12), s.rng.randint(2, 17)
    shift = s.rng.randint(3, 9)
    old, new, third = (
        f"{month}월 {start}일",
        f"{month}월 {start + shift}일",
        f"{month}월 {start + shift + 2}일",
    )
    nights = s.pick("1박", "2박", "3박", "4박")
    room, other = s.some(ROOMS, 2)
    trip = s.pick(*PLANS)
    cause = s.pick(*CAUSES, *(FRIEND_CAUSES if trip in ("휴가", "동창 모임") else []))
    why = s.pick(*ROOM_WISHES)
    g = guest.name
    s.topic = s.pick("호텔 예약 변경", "숙소 예약 변경 전화", f"{old} 숙소 예약 변경")
    s.say(
        clerk,
        "감사합니다, 호텔 예약실입니다.",
        "네, 프런트입니다. 무엇을 도와드릴까요?",
        "안녕하세요, 예약 담당자입니다.",
    )
    ending = s.pick("free", "fee", "full", "room", "cancel", "keep", "early")
    target = ROOM_WISHES[why][1]
    if ending == "room":
        room = s.pick(*ROOM_WISHES[why][0])
    ask = {
        "free": "날짜를 바꾸고 싶은데요.",
        "fee": "날짜를 옮길 수 있을까요?",
        "full": "날짜를 바꿀 수 있나요?",
        "room": "방을 다른 걸로 바꾸고 싶어요.",
        "cancel": "취소를 부탁드리려고요.",
        "keep": "취소하면 어떻게 되는지 여쭤보려고요.",
        "early": "체크인 시간 때문에 전화드렸어요.",
    }[ending]
    s.say(
        guest,
        f"{old}부터 {nights} 예약한 {g}인데요, {ask}",
        f"안녕하세요. {g} 이름으로 {old}에 {nights} 예약했는데 {ask}",
    )
    s.say(
        clerk,
        f"네, {g} 고객님. 확인해 보겠습니다. {room} 예약하셨네요.",
        f"조회되었습니다. {old}, {room} 맞으시죠?",
    )
    if s.chance(0.35):
        s.say(
            clerk,
            "본인 확인을 위해 연락처를 한 번 불러 주시겠습니까?",
            "예약하실 때 남기신 번호를 확인하겠습니다.",
        )
        s.say(guest, "#PhoneNumber#입니다.", "#PhoneNumber#[이에요/예요].")
        s.say(clerk, "네, 확인되었습니다.", "감사합니다. 본인 확인이 끝났습니다.")
    if ending in ("free", "fee", "full"):
        s.say(
            guest,
            f"네, {cause} 그러는데요, {new}로 옮길 수 있을까요?",
            f"맞아요. {cause} {new}에 가야 할 것 같아요.",
            f"네. {trip}인데 {cause} {new}[으로/로] 바꾸려고요.",
        )
    if ending == "free":
        s.say(
            clerk,
            f"{new}에도 {room}[이/가] 비어 있습니다. 추가 비용 없이 바꿔 드릴게요.",
            f"가능합니다. {new}[으로/로] 변경해도 요금은 같습니다.",
        )
        if mate:
            food = s.chance(0.5)
            s.say(
                mate,
                *(
                    ["조식도 되는지 물어봐.", "아침밥도 주는지 물어봐 줘."]
                    if food
                    else ["주차 되는지도 물어봐 줘.", "차 가져가도 되는지 물어봐."]
                ),
            )
            s.say(guest, "혹시 조식도 그대로 포함되나요?" if food else "주차도 무료로 할 수 있나요?")
            s.say(clerk, "네, 조식도 그대로 포함됩니다." if food else "네, 객실당 한 대까지 무료입니다.")
            extra = f" {'조식도 그대로 포함됩니다' if food else '주차도 한 대까지 무료입니다'}."
        else:
            extra = ""
        s.say(guest, "다행이네요. 그렇게 바꿔 주세요.", "감사합니다. 그럼 변경해 주세요.")
        s.say(clerk, "변경 내용을 문자로 보내 드리겠습니다.", "네, 변경 완료되었습니다.")
        s.summarize(
            f"{g}[은/는] {cause} {old} 호텔 예약을 {new}[으로/로] 바꾸고, 추가 비용은 내지 않습니다.{extra}",
            f"{clerk}[은/는] {g}의 {room} 예약을 {old}에서 {new}[으로/로] 무료로 변경해 줍니다.{extra}",
            f"호텔에 전화한 {g}[은/는] {nights} 일정을 {new}[으로/로] 추가 요금 없이 옮깁니다. {cause} 날짜를 바꾼 것입니다.",
        )
    elif ending == "fee":
        fee = won(s.rng, 10000, 90000, 5000)
        s.say(
            clerk,
            f"{new}[은/는] 주말 요금이라 {fee}이 추가됩니다.",
            f"변경은 되는데 {fee}을 더 내셔야 합니다.",
        )
        pay = s.chance(0.65)
        if mate and pay:
            s.say(mate, "그냥 내고 바꾸자. 어쩔 수 없잖아.", "좀 비싸긴 한데 그래도 바꾸는 게 낫겠다.")
        elif mate:
            s.say(mate, "너무 비싼데? 다른 날도 알아보자.", "그 돈이면 다른 숙소를 찾아보는 게 낫겠다.")
        else:
            s.say(guest, "그렇게나 많이 올라요?", "좀 깎아 주실 수는 없나요?")
            s.say(clerk, "죄송합니다. 정해진 요금이라서요.", "성수기라 할인이 어렵습니다.")
        if pay:
            s.say(guest, "알겠어요. 그럼 카드로 결제할게요.", f"그럼 {fee} 더 낼게요. 바꿔 주세요.")
            s.say(clerk, "카드 번호를 불러 주시겠어요?", "결제하실 카드 번호를 말씀해 주세요.")
            s.say(guest, "#CardNumber#입니다.", "네, #CardNumber#[이에요/예요].")
            s.say(clerk, f"결제되었습니다. {new}에 뵙겠습니다.", "네, 결제와 변경이 모두 끝났습니다.")
            end, short = f"{fee}을 더 내고 {new}로 바꿉니다", "카드로 결제합니다"
        else:
            s.say(guest, "조금만 생각해 보고 다시 전화드릴게요.", "음, 좀 더 고민해 보고 연락드릴게요.")
            s.say(clerk, "네, 방이 나갈 수 있으니 서둘러 주세요.", "네, 오늘 안에 연락 주시면 됩니다.")
            end, short = f"{fee}이 더 든다는 말에 결정을 미룹니다", "결정을 미룹니다"
        s.summarize(
            f"{g}[은/는] {cause} {old} 예약을 {new}로 옮기려 하지만 {end}."
            if "로 바꿉" not in end
            else f"{g}[은/는] {cause} {old} 호텔 예약을 {end}.",
            f"{clerk}[은/는] {new}로 바꾸면 {fee}이 추가된다고 하고, {g}[은/는] {short}.",
            f"{room} {nights} 예약의 날짜를 바꾸려던 {g}[은/는] 추가 요금 {fee}을 안내받고 {short}.",
        )
    elif ending == "full":
        choice = s.pick("third", "other", "wait")
        if choice == "other":
            s.say(
                clerk,
                f"죄송하지만 {new}에는 {room}[이/가] 다 나갔습니다.",
                f"{new}에는 {room}[이/가] 없네요. 죄송합니다.",
            )
        else:
            s.say(clerk, f"죄송하지만 {new}에는 빈방이 없습니다.", f"{new}[은/는] 만실이네요. 죄송합니다.")
        lack = room if choice == "other" else "빈방"
        if choice == "third":
            s.say(guest, "그럼 가까운 날짜 중에 되는 날이 있나요?", "그 뒤로는 언제 비나요?")
            s.say(clerk, f"{third}부터는 {room}[이/가] 있습니다.", f"제일 빠른 날이 {third}입니다.")
            if mate:
                s.say(mate, "나는 그날도 괜찮아.", "그날이면 나도 시간 돼.")
            s.say(guest, f"그럼 {third}로 해 주세요.", f"네, {third}로 옮길게요.")
            s.say(clerk, "네, 변경해 드렸습니다.", "알겠습니다. 변경되었습니다.")
            end = f"{third}로 예약을 옮깁니다"
        elif choice == "other":
            s.say(clerk, f"대신 {other}[은/는] 하나 남아 있습니다.", f"{other}[이라면/라면] 그날 가능합니다.")
            if mate:
                s.say(mate, f"{other}도 괜찮지 않아?", "난 아무 방이나 좋아.")
            s.say(guest, f"그럼 {other}[으로/로] 바꿔 주세요.", f"할 수 없네요. {other}도 괜찮아요.")
            s.say(clerk, f"네, {new}, {other}[으로/로] 예약해 드렸습니다.", "네, 그렇게 변경했습니다.")
            end = f"{other}[으로/로] 바꾸어 그날 묵기로 합니다"
        else:
            s.say(guest, "그럼 취소가 나오면 연락 주실 수 있어요?", "혹시 자리가 나면 알려 주세요.")
            s.say(
                clerk,
                "네, 대기 명단에 올려 드리겠습니다. 원래 예약은 그대로 둘까요?",
                "알겠습니다. 그때까지 기존 예약은 유지해 드릴게요.",
            )
            if mate:
                s.say(mate, "우리 그냥 다른 데도 찾아보자.", "혹시 모르니까 다른 숙소도 알아보자.")
            s.say(guest, "네, 일단 그대로 두고 기다릴게요.", "네, 그렇게 해 주세요.")
            end = f"{old} 예약은 그대로 둔 채 빈방이 나기를 기다리기로 합니다"
        s.summarize(
            f"{g}[은/는] {cause} {old} 예약을 {new}로 바꾸려 하지만 {lack}[이/가] 없어 {end}."
            if choice != "wait"
            else f"{g}[은/는] {cause} 숙소 예약을 {new}로 바꾸려 하지만 빈방이 없어 {end}.",
            f"{clerk}[은/는] {new}에 {lack}[이/가] 없다고 알리고, {g}[은/는] {end}.",
            f"{new}에 묵고 싶은 {g}[은/는] {cause} 날짜를 바꾸려다 {end}.",
        )
    elif ending == "room":
        gap = won(s.rng, 10000, 70000, 5000)
        s.say(
            guest,
            f"네. {why} {target}[으로/로] 옮겼으면 해요.",
            f"맞아요. {why} {target}[이/가] 있는지 궁금해서요.",
        )
        if s.chance(0.5) or target in ("1층 객실", "호수 전망 객실"):
            reply = f"1박에 {gap}이 추가된다고 안내하고 예약을 바꿔 줍니다"
            s.say(
                clerk,
                f"{target}[은/는] 1박에 {gap} 더 비쌉니다. 괜찮으세요?",
                f"네, 있습니다. 다만 1박에 {gap}이 추가됩니다.",
            )
            if mate:
                s.say(mate, "그 정도면 괜찮네. 바꾸자.", "나쁘지 않은데? 그걸로 해.")
            s.say(guest, "네, 바꿔 주세요.", "그 정도는 괜찮아요. 변경할게요.")
            s.say(
                clerk,
                "네, 차액은 체크인하실 때 내시면 됩니다.",
                "변경되었습니다. 차액은 현장에서 결제해 주세요.",
            )
            end = f"1박에 {gap}을 더 내고 {target}[으로/로] 바꿉니다"
        else:
            s.say(
                clerk, f"죄송하지만 그날 {target}[은/는] 모두 찼습니다.", f"{target}[은/는] 남은 방이 없네요."
            )
            s.say(guest, "그럼 이불을 더 주실 수 있나요?", "그러면 침구라도 추가할 수 있을까요?")
            s.say(
                clerk, f"네, 침구 추가는 {gap}입니다.", f"그건 가능합니다. {gap}에 침구 한 채를 넣어 드려요."
            )
            s.say(guest, "네, 그럼 그렇게 해 주세요.", "알겠습니다. 추가해 주세요.")
            if mate:
                s.say(mate, "그래, 그 정도면 되겠다.", "응, 그게 낫겠다.")
            end = f"방을 바꾸지 못하는 대신 {gap}에 침구를 추가합니다"
            reply = f"남은 방이 없다며 {gap}에 침구를 추가해 줍니다"
        s.summarize(
            f"{g}[은/는] {why} {old} 예약을 {end}."
            if "못하는" not in end
            else f"{g}[은/는] {why} {target}[을/를] 원하지만 {end}.",
            f"호텔에 전화한 {g}[은/는] {clerk}[과/와] 상의한 끝에 {end}. {why} 방을 바꾸려 한 것입니다.",
            f"{old} 예약을 {target}[으로/로] 바꾸고 싶다는 {g}의 말에 {clerk}[은/는] {reply}.",
        )
    elif ending == "cancel":
        rate = s.pick("10%", "20%", "30%", "50%")
        back = s.rng.randint(2, 7)
        s.say(guest, f"네. {cause} {trip}[을/를] 못 가게 됐어요.", f"{cause} 아무래도 못 갈 것 같아서요.")
        s.say(
            clerk,
            f"안타깝네요. 지금 취소하시면 {rate}의 수수료가 있습니다.",
            f"네, 규정상 {rate}[을/를] 뺀 금액이 환불됩니다.",
        )
        if s.chance(0.5):
            postpone = s.chance(0.5)
            if postpone:
                s.say(guest, "날짜만 미뤄도 수수료가 있나요?", "취소 말고 뒤로 미루는 것도 되나요?")
            else:
                s.say(
                    guest,
                    "사정이 이런데 수수료를 좀 면제해 주실 수 없나요?",
                    "수수료를 안 낼 방법은 없을까요?",
                )
            if postpone:
                s.say(
                    clerk,
                    "날짜를 바꾸시는 건 무료입니다. 그렇게 하시겠어요?",
                    "변경은 무료인데 두 달 안에 오셔야 합니다.",
                )
                s.say(guest, "언제 갈지 몰라서 그냥 취소할게요.", "당분간은 어려우니 취소가 낫겠네요.")
            else:
                s.say(clerk, "증빙 서류를 보내 주시면 검토해 보겠습니다.", "죄송하지만 규정이라 어렵습니다.")
                s.say(guest, "네, 우선 취소부터 해 주세요.", "알겠어요. 일단 취소할게요.")
        elif mate:
            s.say(mate, "수수료 내더라도 취소하자.", "그냥 취소해. 지금 상황에 어떻게 가.")
            s.say(guest, "네, 그럼 취소해 주세요.", "알겠습니다. 취소할게요.")
        else:
            s.say(guest, "어쩔 수 없죠. 취소해 주세요.", "네, 괜찮으니 취소 부탁드려요.")
        s.say(clerk, f"취소되었습니다. 환불은 {back}일 안에 됩니다.", f"네, {back}일 안에 카드로 환불됩니다.")
        s.summarize(
            f"{g}[은/는] {cause} {old} 호텔 예약을 취소하고, {rate}[을/를] 뺀 금액을 {back}일 안에 환불받습니다.",
            f"{clerk}[은/는] {g}의 예약을 취소해 주며 {rate}[을/를] 제외한 금액이 {back}일 안에 환불된다고 안내합니다.",
            f"{cause} 여행을 못 가게 된 {g}[은/는] {rate}의 수수료를 감수하고 {old} 숙소를 취소합니다."
            if trip not in ("출장", "동창 모임", "회사 연수", "친구 결혼식")
            else f"{cause} 갈 수 없게 된 {g}[은/는] {rate}의 수수료를 감수하고 {old} 숙소를 취소합니다.",
        )
    elif ending == "keep":
        rate = s.pick("30%", "50%", "70%")
        s.say(
            clerk,
            f"지금 취소하시면 요금의 {rate}[이/가] 수수료로 나갑니다.",
            f"날짜가 가까워서 {rate}[을/를] 공제하고 돌려드립니다.",
        )
        s.say(guest, f"{rate}나 돼요? 너무 많네요.", f"아, {rate}[이면/면] 부담되는데요.")
        if mate:
            s.say(mate, "그 돈이면 그냥 가자. 내가 운전할게.", "아까운데 그냥 원래대로 가는 게 어때?")
            s.say(guest, "그럴까? 그래, 그게 낫겠다.", "하긴, 그냥 가는 게 낫겠네.")
        else:
            friend = s.pick("동생", "친구", "직장 동료", "부모님")
            s.say(
                guest,
                f"혹시 {friend}에게 예약을 넘길 수는 있나요?"
                if friend != "부모님"
                else "혹시 부모님께 예약을 넘길 수는 있나요?",
                f"{friend}[이/가] 대신 가도 되나요?",
            )
            s.say(clerk, "네, 투숙객 이름만 알려 주시면 됩니다.", "네, 이름만 변경하면 가능합니다.")
        if mate:
            s.say(guest, "죄송해요. 취소하지 않고 그대로 갈게요.", "그냥 예약대로 갈게요. 감사합니다.")
            s.say(clerk, "네, 그럼 그날 뵙겠습니다.", "알겠습니다. 예약은 그대로 유지됩니다.")
            s.summarize(
                f"{g}[은/는] {old} 예약을 취소하려다 수수료가 {rate}[이라/라]는 말을 듣고 그대로 가기로 합니다.",
                f"수수료가 {rate}[이라/라]는 말에 {mate}[은/는] 그냥 가자고 하고, {g}[은/는] 호텔 예약을 유지합니다.",
                f"{clerk}[이/가] 취소하면 {rate}[을/를] 떼야 한다고 하자 {g}[은/는] {mate}의 말대로 {old} 예약을 취소하지 않습니다.",
            )
        else:
            s.say(
                guest,
                f"그럼 {friend} 이름으로 바꿀게요. #PersonName#입니다.",
                f"잘됐네요. {friend} 이름은 #PersonName#[이에요/예요].",
            )
            s.say(clerk, "네, 변경해 두었습니다.", "네, 투숙객을 변경했습니다.")
            s.summarize(
                f"{g}[은/는] {old} 예약의 취소 수수료가 {rate}[이라/라]는 말을 듣고 {friend} 이름으로 투숙객을 바꿉니다.",
                f"{clerk}[은/는] {rate}의 수수료를 걱정하는 {g}의 예약을 {friend}[이/가] 대신 쓸 수 있게 바꿔 줍니다.",
                f"취소하면 {rate}[을/를] 손해 보는 {g}[은/는] {room} 예약을 {friend}에게 넘기기로 합니다.",
            )
    else:
        at, base = clock(s.rng, 9, 12), "오후 3시"
        s.say(
            guest,
            f"기차가 일찍 도착하는데 {at}에 체크인할 수 있을까요?",
            f"{trip} 일정 때문에 {at}에 들어가고 싶은데 되나요?",
        )
        s.say(clerk, f"체크인은 {base}부터인데요.", f"원래는 {base}부터 입실하실 수 있습니다.")
        if s.chance(0.5):
            fee = won(s.rng, 10000, 50000, 5000)
            s.say(clerk, f"{fee}을 내시면 {at}에도 가능합니다.", f"{fee} 추가하시면 일찍 들어오실 수 있어요.")
            if mate:
                s.say(mate, "그냥 내자. 짐이 너무 많잖아.", "돈 내고 편하게 쉬자.")
            s.say(guest, "그럼 추가할게요.", "네, 그렇게 해 주세요.")
            s.say(clerk, "네, 이른 입실로 변경해 드렸습니다.", "알겠습니다. 방을 준비해 두겠습니다.")
            end = f"{fee}을 더 내고 {at}에 들어가기로 합니다"
        else:
            s.say(
                clerk, "전날 손님이 계셔서 앞당기기는 어렵습니다.", "그날은 만실이라 일찍 입실하기 어렵네요."
            )
            s.say(guest, "그럼 짐만 먼저 맡길 수 있나요?", "짐이라도 맡아 주실 수 있어요?")
            s.say(clerk, "네, 짐은 언제든 프런트에 맡기시면 됩니다.", "그럼요. 짐은 무료로 보관해 드려요.")
            if mate:
                s.say(mate, "잘됐다. 짐 맡기고 밥 먹으러 가자.", "그럼 짐만 두고 좀 돌아다니자.")
            s.say(guest, "네, 그럼 짐만 맡길게요.", "좋아요. 그렇게 할게요.")
            end = "짐만 먼저 맡기기로 합니다"
        s.summarize(
            f"{g}[은/는] {old} 숙소에 {at}에 체크인하고 싶어 전화하고, {end}."
            if "더 내고" not in end
            else f"{g}[은/는] {old}에 묵을 숙소에 전화해 {end}.",
            f"{clerk}[은/는] 체크인이 {base}부터라고 하고, 일찍 도착하는 {g}[은/는] {end}.",
            f"{base}보다 일찍 들어가고 싶은 {g}[은/는] {clerk}[과/와] 상의해 {end}.",
        )


# Appliance, complaint as an adverbial clause stem for the talk, noun phrase, self-check, and what the check finds.
BROKEN = [
    (
        "세탁기",
        ("탈수할 때 쾅쾅 소리가 나요.", "돌아갈 때 소리가 너무 커요."),
        "소음이 심한 세탁기",
        "수평이 맞는지",
        "한쪽 다리가 떠 있",
    ),
    (
        "세탁기",
        ("물이 안 빠져요.", "빨래가 끝났는데 물이 그대로 있어요."),
        "물이 안 빠지는 세탁기",
        "배수 필터가 막혔는지",
        "필터에 동전이 끼어 있",
    ),
    (
        "냉장고",
        ("냉장이 잘 안 돼서 음식이 상해요.", "냉장실이 전혀 시원하지 않아요."),
        "시원하지 않은 냉장고",
        "문이 꽉 닫히는지",
        "반찬통이 문에 걸려 있",
    ),
    (
        "에어컨",
        ("찬 바람이 안 나와요.", "틀어도 미지근한 바람만 나와요."),
        "찬 바람이 안 나오는 에어컨",
        "운전 방식이 냉방인지",
        "송풍으로 되어 있",
    ),
    (
        "에어컨",
        ("물이 뚝뚝 떨어져요.", "아래로 물이 새서 바닥이 젖어요."),
        "물이 새는 에어컨",
        "배수 호스가 꺾였는지",
        "호스가 화분에 눌려 있",
    ),
    (
        "텔레비전",
        ("소리는 나는데 화면이 안 나와요.", "화면이 까맣게 나와요."),
        "화면이 안 나오는 텔레비전",
        "연결선이 빠지지 않았는지",
        "뒤쪽 선이 빠져 있",
    ),
    (
        "식기세척기",
        ("그릇이 깨끗하게 안 닦여요.", "돌리고 나면 그릇에 찌꺼기가 남아요."),
        "그릇이 잘 안 닦이는 식기세척기",
        "분사 구멍이 막혔는지",
        "구멍에 찌꺼기가 껴 있",
    ),
    (
        "전기밥솥",
        ("밥이 자꾸 설익어요.", "김이 옆으로 새고 밥이 안 돼요."),
        "밥이 잘 안 되는 전기밥솥",
        "고무 패킹이 빠지지 않았는지",
        "패킹이 반쯤 빠져 있",
    ),
    (
        "정수기",
        ("물이 아주 조금씩 나와요.", "물줄기가 너무 약해요."),
        "물이 약하게 나오는 정수기",
        "원수 밸브가 열렸는지",
        "밸브가 반쯤 잠겨 있",
    ),
    (
        "로봇 청소기",
        ("충전이 안 되고 자꾸 멈춰요.", "제자리에서 빙빙 돌기만 해요."),
        "제대로 움직이지 않는 로봇 청소기",
        "바퀴에 이물질이 꼈는지",
        "바퀴에 머리카락이 감겨 있",
    ),
    (
        "건조기",
        ("한참 돌려도 빨래가 축축해요.", "시간이 다 돼도 빨래가 안 말라요."),
        "빨래가 안 마르는 건조기",
        "먼지 필터가 찼는지",
        "필터에 먼지가 꽉 차 있",
    ),
    (
        "가스레인지",
        ("불이 안 켜져요.", "딱딱 소리만 나고 불이 안 붙어요."),
        "불이 안 켜지는 가스레인지",
        "건전지가 닳지 않았는지",
        "건전지가 다 닳아 있",
    ),
    (
        "보일러",
        ("온수가 안 나와요.", "방바닥이 하나도 안 따뜻해져요."),
        "따뜻해지지 않는 보일러",
        "실내 조절기가 외출로 되어 있는지",
        "외출로 되어 있",
    ),
]


def appliance_service(s: Scene) -> None:
    """A broken appliance is reported to the service centre; it is cured by a check or someone will come."""
    caller, agent = s.speaker(FULL_NAMES), s.speaker(GIVEN)
    thing, complaints, phrase, check, finding = s.rng.choice(BROKEN)
    since = s.pick(
        "어제부터",
        "오늘 아침부터",
        "그저께부터",
        "지난 주말부터",
        "사흘 전부터",
        "일주일 전부터",
        "이사 온 뒤로",
    )
    years = s.pick("6개월", "1년", "2년", "3년", "5년", "7년", "10년")
    s.topic = s.pick(f"{thing} 고장 접수", "가전제품 수리 접수 전화", f"{thing} A/S 문의")
    mate = s.speaker(GIVEN) if s.chance(0.4) else None
    s.say(
        agent,
        "안녕하세요, 서비스 센터입니다. 무엇을 도와드릴까요?",
        "네, 고객 상담실입니다. 어떤 제품 때문에 전화 주셨어요?",
        "반갑습니다, 고객님. 어떤 불편이 있으신가요?",
    )
    complaint = s.pick(*complaints)
    s.say(
        caller,
        f"{thing}[이/가] {since} 이상해요. {complaint}",
        f"{thing} 때문에 전화드렸는데요, {since} {complaint}",
        f"안녕하세요. {thing}[을/를] 쓰는데 {since} {complaint}",
    )
    s.say(
        agent,
        "불편하셨겠습니다. 언제쯤 구입하셨는지 기억하십니까?",
        "네, 언제 구입하신 제품인가요?",
        "그러셨군요. 사용하신 지는 오래되셨어요?",
    )
    s.say(caller, f"한 {years}쯤 됐어요.", f"{years} 정도 쓴 것 같아요.")
    free = years in ("6개월", "1년") and s.chance(0.8)
    if s.chance(0.4):
        s.say(agent, "모델명을 알려 주실 수 있나요?", "제품 옆면에 적힌 모델 번호를 불러 주시겠어요?")
        s.say(caller, "글자가 작아서 잘 안 보이네요.", "잠시만요. 스티커가 지워져서 못 읽겠어요.")
        s.say(agent, "괜찮습니다. 구매 기록으로 찾아볼게요.")
    g = str(caller)
    ending = s.pick("cured", "visit", "visit", "later", "costly", "bring", "replace", "visit")
    if free and ending == "costly":
        ending = "later"
    elif not free and ending == "replace":
        ending = "costly"
    tried = ending == "cured" or s.chance(0.5)
    if tried:
        s.say(agent, f"혹시 {check} 확인해 보셨어요?", f"우선 {check} 한번 봐 주시겠어요?")
        if mate:
            s.say(
                caller,
                f"잠시만요. {mate.name} 씨, {check} 좀 봐 줘요.",
                f"{mate.name} 씨, 가서 {check} 봐 줄래요?",
            )
            s.say(mate, f"어, {finding}네요." if ending == "cured" else "봤는데 그건 괜찮아요.")
        else:
            s.say(caller, "잠시만요, 지금 가서 볼게요.", "네, 잠깐 기다려 주세요.")
            s.say(caller, f"아, {finding}네요!" if ending == "cured" else "봤는데 그건 이상 없어요.")
    elif mate:
        s.say(mate, "기사님 빨리 보내 달라고 해요.", "오늘 꼭 고쳐 달라고 말해요.")
        s.say(caller, "알았어요, 지금 말하고 있잖아요.", "네, 잠깐만 조용히 해 줘요.")
    if ending == "cured":
        by = f"{mate}" if mate else g
        s.say(
            agent,
            "그게 원인일 가능성이 큽니다. 바로잡고 다시 켜 보시겠어요?",
            "그럼 그것부터 해결하고 한번 작동해 보세요.",
        )
        s.say(caller, "와, 이제 잘되네요.", "어, 정말 괜찮아졌어요!", "신기하네요. 멀쩡해졌어요.")
        s.say(
            agent,
            "다행입니다. 또 문제가 생기면 전화 주세요.",
            "해결되어 다행이네요. 같은 증상이 나오면 그때 접수해 드릴게요.",
        )
        s.say(caller, "네, 친절하게 알려 주셔서 감사합니다.", "기사님을 안 불러도 되겠네요. 고맙습니다.")
        s.summarize(
            f"{g}[은/는] {phrase} 때문에 서비스 센터에 전화하고, {agent}의 안내로 {finding}는 것을 찾아 스스로 해결합니다."
            if not mate
            else f"{g}[은/는] {phrase} 때문에 서비스 센터에 전화하고, {by}[이/가] {finding}는 것을 찾아 문제를 해결합니다.",
            f"{agent}[은/는] {g}에게 {thing}의 {check} 살펴보라고 하고, {finding}던 것을 바로잡자 문제가 사라집니다.",
            f"{since} 말썽이던 {thing}[은/는] {finding}던 것이 원인이었고, {g}[은/는] 수리 기사 없이 고칩니다.",
        )
        return
    if ending == "bring":
        size = thing in ("전기밥솥", "로봇 청소기")
        if not size:
            ending = "visit"
    if ending == "bring":
        day, hours = (
            s.pick("이번 주 수요일", "이번 주 목요일", "이번 주 금요일", "다음 주 월요일", "다음 주 화요일"),
            clock(s.rng, 16, 19),
        )
        s.say(
            agent,
            f"작은 제품이라 센터로 가져오시면 바로 봐 드립니다. {hours}까지 합니다.",
            f"이 제품은 방문 수리가 안 되고 센터로 오셔야 해요. 접수는 {hours}까지입니다.",
        )
        if s.chance(0.5):
            s.say(caller, "예약하고 가야 하나요?", "그냥 가도 되나요?")
            s.say(
                agent,
                "예약하시면 덜 기다리세요. 언제 오시겠어요?",
                "예약해 두시는 게 좋습니다. 편하신 날이 있으세요?",
            )
        else:
            s.say(caller, "가까운 센터가 어디예요?", "저희 집 근처에도 센터가 있나요?")
            s.say(agent, "주소를 말씀해 주시면 찾아 드릴게요.", "사시는 곳이 어디세요?")
            s.say(caller, "#Address#[이에요/예요].", "#Address# 근처예요.")
            s.say(
                agent,
                "바로 옆 사거리에 있네요. 언제 오실 수 있으세요?",
                "걸어서 10분 거리에 있습니다. 언제 가시겠어요?",
            )
        s.say(caller, f"{day} 퇴근길에 들를게요.", f"{day}에 가지고 갈게요.")
        s.say(agent, f"네, {day} 방문으로 접수했습니다.", "네, 접수해 두었습니다. 영수증도 가져오세요.")
        s.summarize(
            f"{g}[은/는] {phrase}[을/를] 고치려고 {day}에 직접 서비스 센터로 가져가기로 합니다.",
            f"{agent}[은/는] {thing}[은/는] 센터로 가져와야 하며 {hours}까지 받는다고 안내하고, {g}[은/는] {day} 방문하기로 합니다.",
            f"{since} {thing}[이/가] 고장 나 전화한 {g}[은/는] {hours}까지 여는 센터에 {day} 들르기로 합니다.",
        )
        return
    if ending == "replace":
        days = s.pick("사흘", "닷새", "일주일", "열흘")
        times = s.pick("두 번", "세 번")
        s.say(
            caller,
            f"사실 이번이 처음이 아니에요. 벌써 {times} 고쳤거든요.",
            f"같은 고장으로 {times}[이나/나] 수리를 받았어요.",
        )
        s.say(
            agent,
            f"같은 증상으로 {times} 수리하셨으면 교환 대상입니다.",
            "기록을 보니 새 제품으로 교환해 드릴 수 있겠네요.",
        )
        s.say(caller, "교환이 되면 정말 좋겠어요. 언제 받을 수 있죠?", "정말요? 그럼 언제 바꿔 주시나요?")
        s.say(
            agent, f"심사 후 {days} 안에 새 제품을 보내 드립니다.", f"승인이 나면 {days} 안에 설치해 드려요."
        )
        s.say(caller, "네, #Address#[으로/로] 부탁드려요.", "네, 연락은 #PhoneNumber#[으로/로] 주세요.")
        s.say(agent, "네, 교환으로 접수해 두겠습니다.", "알겠습니다. 진행 상황을 문자로 알려 드릴게요.")
        s.summarize(
            f"{g}[은/는] {thing}[이/가] {times} 수리한 뒤에도 다시 고장 났다고 말하고, {days} 안에 새 제품으로 교환받기로 합니다.",
            f"{agent}[은/는] 같은 고장이 되풀이된 {g}의 {thing}[을/를] 새것으로 바꿔 주기로 하고, {days} 안에 처리하겠다고 합니다.",
            f"벌써 {times} 고친 {thing}[이/가] 또 말썽을 부려 {g}[은/는] 교환을 접수합니다.",
        )
        return
    day, at = (
        s.pick("내일", "모레", "이번 주 금요일", "이번 주 토요일", "다음 주 월요일"),
        clock(s.rng, 9, 17),
    )
    if ending == "costly":
        fee, part = won(s.rng, 18000, 30000, 1000), won(s.rng, 60000, 240000, 10000)
        s.say(
            agent,
            f"보증 기간이 지나서 출장비 {fee}[과/와] 부품값이 듭니다.",
            f"무상 기간이 아니라서 출장비 {fee}이 나옵니다. 부품값은 따로고요.",
        )
        s.say(caller, "부품값은 얼마나 하나요?", "대충 전부 얼마쯤 들까요?")
        s.say(
            agent,
            f"증상으로 보면 부품값이 {part} 정도 예상됩니다.",
            f"정확하지는 않지만 부품은 {part}쯤 합니다.",
        )
        if mate:
            s.say(
                caller,
                f"{mate.name} 씨, {part}이나 든다는데 어떡할까요?",
                f"{mate.name} 씨, 부품값이 {part}이래요.",
            )
            s.say(
                mate,
                "그 돈이면 차라리 새로 사요.",
                "오래 썼으니 그냥 바꾸는 게 어때요?"
                if years not in ("6개월", "1년")
                else "그렇게 비싸요? 조금 더 알아봐요.",
            )
        s.say(caller, "생각보다 비싸네요. 접수는 다음에 할게요.", "좀 더 생각해 보고 다시 전화할게요.")
        s.say(agent, "네, 결정하시면 언제든 연락 주세요.", "알겠습니다. 궁금한 점은 다시 문의해 주세요.")
        s.summarize(
            f"{g}[은/는] {phrase}의 수리를 문의했다가 부품값이 {part} 정도라는 말에 접수를 미룹니다.",
            f"{agent}[은/는] {thing} 수리에 출장비 {fee}[과/와] 부품값 {part}[이/가] 든다고 하고, {g}[은/는] 접수하지 않습니다.",
            f"{years} 쓴 {thing}[이/가] 고장 나 전화한 {g}[은/는] {part}쯤 하는 부품값이 부담스러워 결정을 미룹니다.",
        )
        return
    first = day
    if ending == "later":
        first = s.pick("다음 주 화요일", "다음 주 수요일", "다음 주 목요일", "열흘 뒤")
        s.say(
            agent,
            f"접수가 많아서 가장 빠른 방문이 {first}입니다.",
            f"지금은 예약이 밀려서 {first}에나 갈 수 있습니다.",
        )
        need = {
            "냉장고": "음식이 다 상할 텐데요",
            "보일러": "그때까지 추워서 못 지내요",
            "에어컨": "그때까지 더워서 못 견뎌요",
            "세탁기": "빨래가 산더미인데요",
            "전기밥솥": "매일 밥을 해야 하는데요",
        }.get(thing, "그렇게 오래는 못 기다려요")
        s.say(caller, f"{need}. 더 빨리 안 될까요?", f"너무 늦네요. {need}.")
        if s.chance(0.5):
            s.say(
                agent,
                f"마침 취소된 자리가 있네요. {day} {at}에 가능합니다.",
                f"다른 지역 기사님께 부탁드려 볼게요. {day} {at}에 된다고 하시네요.",
            )
            s.say(caller, "정말 다행이에요. 그때 와 주세요.", "네, 그 시간에 집에 있을게요.")
            slot, end = f"{day} {at}", f"{first}[이던/던] 방문을 앞당겨 {day} {at}에 기사를 부르기로 합니다"
        else:
            s.say(
                agent,
                "죄송합니다. 취소가 생기면 먼저 연락드릴게요.",
                "지금은 그게 최선입니다. 자리가 나면 앞당겨 드릴게요.",
            )
            s.say(caller, "그럼 일단 그날로 잡아 주세요.", f"할 수 없네요. {first}[으로/로] 해 주세요.")
            slot, end = first, f"{first}에 방문을 받기로 하고 자리가 나면 앞당기기로 합니다"
    else:
        s.say(
            agent,
            f"기사님이 방문해서 봐야겠네요. {day} {at} 괜찮으세요?",
            f"방문 점검을 잡아 드릴게요. 제일 빠른 시간이 {day} {at}입니다.",
        )
        if s.chance(0.35):
            alt = s.pick("다음 주 화요일", "다음 주 수요일", "다음 주 목요일")
            s.say(
                caller,
                f"그날은 제가 집에 없는데 {alt}[은/는] 어때요?",
                f"그 시간에는 일해야 해서요. {alt}[으로/로] 안 될까요?",
            )
            s.say(agent, f"네, {alt} 같은 시간에 가능합니다.", f"{alt}도 됩니다. 그날 {at}에 방문하겠습니다.")
            s.say(caller, "네, 그때로 해 주세요.", "좋아요. 그날 기다릴게요.")
            slot = f"{alt} {at}"
            end = f"{day} 대신 {alt} {at}에 기사의 방문을 받기로 합니다"
        else:
            s.say(caller, "네, 그 시간에 집에 있어요.", "좋아요. 그때 와 주세요.")
            slot = f"{day} {at}"
            end = f"{slot}에 기사의 방문을 받기로 합니다"
    s.say(agent, "방문하실 주소와 연락처를 알려 주세요.", "주소와 전화번호를 말씀해 주시겠어요?")
    s.say(
        caller,
        "#Address#[이고/고] 번호는 #PhoneNumber#[이에요/예요].",
        "주소는 #Address#, 전화는 #PhoneNumber#입니다.",
    )
    if s.chance(0.4):
        s.say(agent, "성함도 부탁드립니다.", "접수하시는 분 성함이 어떻게 되세요?")
        s.say(caller, f"{caller.name}입니다.", f"{caller.name}[이에요/예요].")
        g = caller.name
    money = ""
    if s.chance(0.5):
        s.say(caller, "비용은 얼마나 들까요?", "수리비는 어떻게 되나요?")
        if free:
            s.say(agent, "보증 기간 안이라 무상입니다.", "아직 무상 기간이라 돈은 안 내셔도 됩니다.")
            money = " 수리는 무상입니다."
        else:
            fee = won(s.rng, 18000, 30000, 1000)
            s.say(
                agent, f"출장비가 {fee}이고 부품값은 따로입니다.", f"기본 출장비 {fee}에 부품값이 더해집니다."
            )
            money = f" 출장비는 {fee}입니다."
        s.say(caller, "네, 알겠습니다.", "알겠어요. 감사합니다.")
    s.say(
        agent,
        "네, 접수됐습니다. 방문 전에 전화드리겠습니다.",
        "접수가 끝났습니다. 기사님이 출발할 때 연락드릴 거예요.",
    )
    s.summarize(
        f"{g}[은/는] {phrase} 때문에 서비스 센터에 전화해 {end}.{money}",
        f"{agent}[은/는] {g}의 {thing} 고장을 접수하고 {slot}에 기사를 보내기로 합니다.{money}",
        f"{since} 말썽인 {thing}[을/를] 고치려고 {g}[은/는] {slot}[으로/로] 방문 수리를 신청합니다.{money}",
    )


SITUATIONS = [hotel_change, appliance_service]
