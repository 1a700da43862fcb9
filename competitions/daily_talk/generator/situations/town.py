"""Situations about town: the doctor, the pharmacy, asking the way, the taxi, the ticket desk."""

from competitions.daily_talk.generator.engine import Scene
from competitions.daily_talk.generator.words import GIVEN, PLACES, WEEKDAYS, clock, won


def rows(text: str) -> list[list[str]]:
    """The cells of a small table, one row a line, cells parted by "|"."""
    return [line.split("|") for line in text.strip().splitlines()]


# complaint | name of it | doctor asks | patient answers | diagnosis | advice | advice reported | test | treatment
ILLS = rows("""
목이 붓고 침을 삼킬 때마다 아파요|목 통증|열도 나세요?|네, 재 보니까 38도가 넘었어요.|편도염|찬 음료는 피하고 따뜻한 물을 자주 드세요.|따뜻한 물을 자주 마시라고|혈액 검사|주사
기침이 멈추지 않아서 밤에 잠을 못 자요|기침|가래도 나오나요?|네, 누런 가래가 조금 나와요.|기관지염|찬 공기를 피하고 실내에 가습기를 틀어 두세요.|찬 공기를 피하고 가습기를 틀라고|가슴 엑스레이 검사|주사
명치가 콕콕 쑤시고 속이 쓰려요|속쓰림|식사는 규칙적으로 하세요?|아니요, 야근이 많아서 거의 굶다가 밤늦게 먹어요.|위염|당분간 맵고 짠 음식은 드시지 마세요.|맵고 짠 음식을 먹지 말라고|위내시경 검사|주사
배가 뒤틀리듯 아프고 설사를 계속해요|설사와 복통|혹시 날것을 드셨어요?|네, 아프기 전날 굴을 먹었어요.|장염|내일까지는 죽만 조금씩 드세요.|내일까지 죽만 먹으라고|대변 검사|수액
발목이 붓고 걸을 때마다 시큰거려요|발목 통증|어쩌다 다치셨어요?|계단에서 발을 헛디뎠어요.|발목 염좌|얼음찜질을 자주 하고 되도록 걷지 마세요.|얼음찜질을 하고 되도록 걷지 말라고|엑스레이 검사|물리치료
허리가 뻐근해서 오래 앉아 있질 못하겠어요|허리 통증|다리까지 저린 느낌이 있어요?|아니요, 다리는 괜찮고 허리만 아파요.|근육통|무거운 물건은 절대 들지 마세요.|무거운 물건을 들지 말라고|엑스레이 검사|물리치료
눈이 빨갛게 충혈되고 눈곱이 자꾸 껴요|눈 충혈|평소에 렌즈를 끼세요?|네, 거의 매일 끼고 다녀요.|결막염|나을 때까지 렌즈 대신 안경을 쓰세요.|렌즈 대신 안경을 쓰라고|안압 검사|눈 세척
팔에 붉은 발진이 올라오고 너무 가려워요|팔의 발진|새로 바꾼 비누나 세제가 있나요?|그러고 보니 세탁 세제를 바꿨어요.|접촉성 피부염|긁지 마시고 세제는 전에 쓰던 걸로 바꾸세요.|긁지 말고 세제를 바꾸라고|알레르기 검사|주사
머리가 한쪽만 지끈지끈 아파요|두통|빛이나 소리에 예민해지기도 하나요?|네, 밝은 데 있으면 더 심해져요.|편두통|커피를 줄이고 잠을 충분히 주무세요.|커피를 줄이고 잠을 충분히 자라고|뇌 MRI 검사|주사
귀가 먹먹하고 안쪽이 욱신거려요|귀 통증|최근에 수영을 하셨어요?|네, 아프기 전에 워터파크에 다녀왔어요.|외이도염|귀에 물이 들어가지 않게 조심하세요.|귀에 물이 들어가지 않게 하라고|청력 검사|귀 소독
콧물이 줄줄 흐르고 재채기가 계속 나와요|콧물과 재채기|아침에 더 심한가요?|네, 일어나자마자 재채기를 열 번은 해요.|알레르기 비염|이불을 자주 빨고 환기를 자주 하세요.|이불을 자주 빨고 환기하라고|알레르기 검사|코 세척
팔을 위로 들면 어깨가 찌릿해요|어깨 통증|어디 부딪힌 적이 있으세요?|부딪힌 적은 없는데 밤에 더 쑤셔요.|어깨 힘줄염|하루에 두 번씩 어깨 스트레칭을 하세요.|어깨 스트레칭을 하라고|초음파 검사|물리치료
손목이 시큰거려서 마우스를 못 잡겠어요|손목 통증|컴퓨터를 오래 쓰세요?|네, 하루에 열 시간은 쓰는 것 같아요.|손목 건초염|일하실 때 꼭 손목 보호대를 하세요.|손목 보호대를 하라고|초음파 검사|물리치료
일어날 때마다 눈앞이 핑 돌고 어지러워요|어지럼증|혹시 끼니를 거르시나요?|네, 다이어트하느라 저녁을 안 먹고 있어요.|빈혈|끼니를 거르지 말고 고기도 챙겨 드세요.|끼니를 거르지 말라고|혈액 검사|수액
""")
SINCE = ["그저께", "사흘 전", "나흘 전", "닷새 전", "지난 주말", "일주일 전", "열흘 전", "보름 전", "2주 전", *["지난주 " + d for d in WEEKDAYS]]  # fmt: skip
DRUGS = ["페니실린", "아스피린", "소염제", "항생제", "이부프로펜", "진통제"]
ROUTINE = ["혈압약", "당뇨약", "수면제", "갑상선약", "고지혈증약", "피임약", "위장약"]


def clinic_visit(s: Scene) -> None:
    """A patient tells the doctor what hurts; pills, a test, another hospital, a treatment or only rest follows."""
    d, p = s.speaker(GIVEN), s.speaker(GIVEN)
    complaint, noun, ask, reply, diag, advice, advised, test, cure = s.rng.choice(ILLS)
    since = s.rng.choice(SINCE)
    s.topic = s.pick("병원 진료", f"{noun} 진료", "증상 상담과 처방")
    nurse = s.speaker(GIVEN) if s.chance(0.35) else None
    if nurse and s.chance(0.5):
        room = s.rng.randint(1, 6)
        s.say(
            nurse,
            "접수 도와드릴게요. 성함과 생년월일을 말씀해 주세요.",
            "다음 분 오세요. 성함하고 생년월일 확인할게요.",
        )
        s.say(
            p,
            "#PersonName#이고 #DateOfBirth#생이에요.",
            "#PersonName#입니다. 생년월일은 #DateOfBirth#이에요.",
        )
        s.say(
            nurse,
            f"네, 확인됐습니다. {room}번 진료실로 들어가세요.",
            f"접수됐어요. 바로 {room}번 방으로 가시면 됩니다.",
        )
        s.say(p, "네, 감사합니다. 선생님, 안녕하세요.", "네. 안녕하세요, 선생님.")
    s.say(
        d,
        "어디가 불편해서 오셨어요?",
        "안녕하세요. 오늘은 어떻게 오셨습니까?",
        "여기 앉으세요. 어디가 안 좋으신가요?",
        "네, 증상을 말씀해 보세요.",
    )
    s.say(
        p,
        f"{since}부터 {complaint}.",
        f"{complaint}. {since}부터 그랬어요.",
        f"제가 {since}부터 {complaint}. 그냥 두면 나을 줄 알았는데 더 심해졌어요.",
        f"{complaint}. {since}부터 그러더니 좀처럼 낫질 않네요.",
    )
    if s.chance(0.6):
        s.say(d, ask, f"그러셨군요. {ask}", f"많이 힘드셨겠네요. {ask}")
        s.say(p, reply)
    tail = ["", "", ""]
    side = s.pick("allergy", "routine", "self", "none", "none")
    if side == "allergy":
        drug = s.rng.choice(DRUGS)
        s.say(
            d,
            "약을 드시고 탈이 난 적은 없으세요?",
            "혹시 약물 알레르기가 있으신가요?",
            "드시면 안 되는 약이 있나요?",
        )
        s.say(
            p,
            f"예전에 {drug}[을/를] 먹고 두드러기가 난 적이 있어요.",
            f"{drug}[을/를] 먹으면 온몸이 가려워져요.",
            f"제가 {drug} 알레르기가 있어요.",
        )
        s.say(
            d, "알겠습니다. 기록해 두고 그 약은 쓰지 않을게요.", "중요한 말씀이네요. 그 성분은 피하겠습니다."
        )
        tail = [
            f" {p}[은/는] {drug} 알레르기가 있다고 알립니다.",
            f" {d}[은/는] {drug}[을/를] 쓰지 않기로 합니다.",
            f" {p}에게는 {drug} 알레르기가 있습니다.",
        ]
    elif side == "routine":
        drug = s.rng.choice(ROUTINE)
        s.say(d, "지금 따로 드시는 약이 있나요?", "평소에 복용하는 약은 없으시고요?")
        s.say(p, f"{drug}[을/를] 매일 먹고 있어요.", f"{drug}[을/를] 먹은 지 꽤 됐어요.")
        s.say(d, "그 약은 그대로 드셔도 됩니다.", f"{drug}[은/는] 계속 드셔도 괜찮아요.")
        tail = [
            f" {p}[은/는] 먹던 {drug}[을/를] 계속 먹어도 됩니다.",
            f" {d}[은/는] {drug}[은/는] 그대로 먹어도 된다고 합니다.",
            "",
        ]
    elif side == "self":
        s.say(d, "집에서 따로 해 보신 건 있으세요?", "그동안 어떻게 참으셨어요?")
        s.say(
            p,
            "바쁘다 보니 그냥 참고 지냈어요.",
            "인터넷에서 본 대로 푹 쉬어 봤는데 소용이 없었어요.",
            "며칠 쉬어 봐도 그대로더라고요.",
        )
    ending = s.pick("pills", "pills", "test", "refer", "cure", "nocure", "rest", "paper")
    days = s.pick("사흘", "닷새", "일주일", "3일", "4일", "5일", "열흘")
    back = "다음 주 " + s.rng.choice(WEEKDAYS[:6])
    if ending in ("pills", "paper", "cure", "nocure", "rest"):
        s.say(
            d,
            f"잠깐 볼게요. 음, {diag}[이네요/네요]. {advice}",
            f"진찰해 보니 {diag}입니다. {advice}",
            f"증상을 보면 {diag}[으로/로] 보입니다. {advice}",
            f"걱정하실 정도는 아니고 {diag}[이에요/예요]. {advice}",
        )
    if ending == "pills":
        if s.chance(0.5):
            what = s.pick("운동", "술", "목욕", "출근")
            s.say(
                p,
                {
                    "운동": "운동은 해도 될까요?",
                    "술": "술은 마셔도 되나요?",
                    "목욕": "목욕은 해도 괜찮나요?",
                    "출근": "회사는 나가도 되겠지요?",
                }[what],
            )
            s.say(
                d,
                {
                    "운동": f"약을 드시는 동안 운동은 쉬세요. 약은 {days}치 드릴게요.",
                    "술": f"나을 때까지 술은 안 됩니다. 약은 {days}치 처방하겠습니다.",
                    "목욕": f"가볍게 씻는 정도는 괜찮습니다. 약은 {days}치 나갑니다.",
                    "출근": f"출근은 하셔도 되지만 무리하지 마세요. 약은 {days}치예요.",
                }[what],
            )
        else:
            s.say(p, "약을 먹어야 하나요?", "그럼 약만 먹으면 나을까요?", "심한 건 아니지요?")
            s.say(
                d,
                f"네, 약을 {days}치 처방해 드릴 테니 꼬박꼬박 드세요.",
                f"약을 {days}치 드릴게요. 좋아져도 끝까지 드세요.",
            )
        s.say(d, f"그리고 {back}에 한 번 더 오세요.", f"다 드시고 {back}에 다시 봅시다.")
        s.say(
            p, "네, 그때 뵙겠습니다. 감사합니다.", f"네, {back}에 올게요.", "알겠습니다. 고맙습니다, 선생님."
        )
        s.summarize(
            f"{p}[은/는] {since}부터 시작된 {noun} 때문에 병원을 찾아 {diag} 진단을 받습니다. {d}[은/는] 약을 {days}치 처방하고 {back}에 다시 오라고 합니다."
            + tail[0],
            f"{d}[은/는] {p}의 증상이 {diag}[이라고/라고] 진단하고 {advised} 조언하며 {days}치 약을 처방합니다."
            + tail[1],
            f"{diag} 진단을 받은 {p}[은/는] {days}치 약을 먹고 {back}에 다시 진료를 받기로 합니다." + tail[2],
        )
    elif ending == "paper":
        fee = won(s.rng, 3000, 20000, 1000)
        where = s.pick("회사", "학교", "보험사", "학원", "군부대")
        s.say(
            p,
            f"{where}에 낼 진단서도 받을 수 있을까요?",
            f"그런데 {where}에 서류를 내야 해서 진단서가 필요해요.",
            f"저, {where}에서 진단서를 떼어 오라고 했어요.",
        )
        s.say(
            d,
            f"네, 바로 써 드릴게요. 발급비는 {fee}이고 약은 {days}치 나갑니다.",
            f"가능합니다. 비용이 {fee} 드는데 괜찮으시죠? 약은 {days}치 드리겠습니다.",
        )
        s.say(p, "네, 괜찮습니다.", "네, 부탁드려요.", "한 장만 주시면 됩니다.")
        s.summarize(
            f"{p}[은/는] {diag} 진단을 받고 {days}치 약을 처방받습니다. {where}에 낼 진단서도 {fee}에 발급받기로 합니다."
            + tail[0],
            f"{d}[은/는] {since}부터 아픈 {p}에게 {days}치 약을 처방하고 {where} 제출용 진단서를 써 줍니다."
            + tail[1],
            f"{noun}[으로/로] 진료를 받은 {p}[은/는] {where}에 내야 한다며 진단서를 부탁하고 {d}[은/는] 비용이 {fee}이라고 안내합니다."
            + tail[2],
        )
    elif ending in ("cure", "nocure"):
        s.say(
            d,
            f"오늘 {cure}[을/를] 받고 가시면 회복이 빠를 거예요.",
            f"오신 김에 {cure}도 받으시겠어요?",
            f"약만 드셔도 되지만 {cure}[을/를] 같이 하시길 권합니다.",
        )
        if ending == "cure":
            minutes = s.rng.choice([5, 10] if cure == "주사" else [10, 15, 20, 30, 40])
            s.say(p, "얼마나 걸리는데요?", "시간이 오래 걸리나요?")
            s.say(d, f"{minutes}분이면 끝납니다.", f"길어야 {minutes}분이에요.")
            s.say(p, "그 정도면 받고 갈게요.", "그럼 오늘 받을게요.", "네, 해 주세요.")
            if nurse:
                s.say(
                    nurse, "이쪽으로 오세요. 제가 안내해 드릴게요.", f"{cure} 준비됐습니다. 저를 따라오세요."
                )
            s.summarize(
                f"{p}[은/는] {since}부터 이어진 {noun}[으로/로] 진료를 받고, {diag} 치료를 위해 {minutes}분 정도 걸리는 {cure}[을/를] 받기로 합니다."
                + tail[0],
                f"{d}[은/는] {diag} 진단을 내리고 {cure}[을/를] 권하며, {p}[은/는] {minutes}분이면 된다는 말에 동의합니다."
                + tail[1],
                f"{diag} 진단을 받은 {p}[은/는] 오늘 {cure}[을/를] 받기로 하고, {d}[은/는] {advised} 당부합니다."
                + tail[2],
            )
        else:
            why, said = s.rng.choice(
                [
                    ("회의가 있어서", "제가 곧 회의가 있어서 오늘은 어렵겠어요."),
                    ("겁이 나서", "솔직히 겁이 나서 못 하겠어요."),
                    ("아이를 데리러 가야 해서", "아이를 데리러 가야 해서 시간이 없어요."),
                    ("비용이 부담되어", "비용이 부담돼서 그건 안 받을게요."),
                    ("기차 시간이 다 되어", "기차 시간이 다 돼서 지금은 힘들어요."),
                ]
            )
            s.say(p, f"{said} 약만 먹으면 안 될까요?", f"{said} 약으로 해 주세요.")
            s.say(
                d,
                f"그럼 약만 {days}치 드리겠습니다. 안 나으면 꼭 다시 오세요.",
                f"알겠습니다. 일단 {days}치 약으로 지켜봅시다.",
            )
            s.say(p, "네, 감사합니다.", "네, 그렇게 할게요.")
            s.summarize(
                f"{d}[은/는] {diag}[이라며/라며] {cure}[을/를] 권하지만 {p}[은/는] {why} 거절하고 {days}치 약만 받습니다."
                + tail[0],
                f"{p}[은/는] {noun}[으로/로] 병원에 왔으나 {why} {cure}[은/는] 받지 않고 {days}치 약을 먹기로 합니다."
                + tail[1],
                f"{diag} 진단을 받은 {p}[이/가] {why} {cure}[을/를] 사양하자 {d}[은/는] 약을 {days}치 처방합니다."
                + tail[2],
            )
    elif ending == "rest":
        s.say(p, "그럼 약은 안 먹어도 되나요?", "약을 처방해 주시나요?")
        s.say(
            d,
            f"지금은 약까지 드실 필요는 없어요. {days} 정도 푹 쉬어 보세요.",
            f"약 없이 {days}만 잘 쉬면 좋아질 겁니다.",
        )
        s.say(p, "그래도 안 나으면요?", "혹시 더 아프면 어떻게 하죠?")
        s.say(d, f"그때는 {back}에 다시 오세요.", f"계속 불편하시면 {back}에 다시 오시면 됩니다.")
        s.summarize(
            f"{p}[은/는] {since}부터 생긴 {noun}[으로/로] 진료를 받습니다. {d}[은/는] {diag}[이지만/지만] 약은 필요 없다며 {days} 정도 쉬라고 합니다."
            + tail[0],
            f"{d}[은/는] {diag} 진단을 내리고 약 대신 {days} 동안 쉬되, 낫지 않으면 {back}에 다시 오라고 합니다."
            + tail[1],
            f"{diag} 진단을 받은 {p}[은/는] 약을 먹지 않고 {days} 쉬어 본 뒤 그래도 아프면 {back}에 병원에 다시 오라는 말을 듣습니다."
            + tail[2],
        )
    elif ending == "test":
        s.say(
            d,
            f"{diag}[이/가] 의심되는데 정확히 알려면 {test}[을/를] 해야 합니다.",
            f"{test}[을/를] 한번 해 봅시다. {diag}일 수도 있어서요.",
        )
        fee = won(s.rng, 15000, 90000, 1000)
        s.say(p, "비용은 얼마나 드나요?", "그 검사는 얼마예요?")
        s.say(d, f"{fee} 정도 나옵니다.", f"보험이 적용돼서 {fee}쯤 됩니다.")
        if s.chance(0.5):
            s.say(p, "네, 오늘 바로 할게요.", "그럼 온 김에 지금 받을게요.")
            s.say(d, f"결과는 {back}에 나오니까 그때 오세요.", f"{back}에 결과를 말씀드릴게요.")
            plan = f"{p}[은/는] 오늘 검사를 받고 결과는 {back}에 듣습니다."
            late = f"검사 결과는 {back}에 나옵니다."
        else:
            s.say(
                p,
                f"오늘은 좀 그렇고 {back}에 하면 안 될까요?",
                f"생각보다 비싸네요. {back}에 다시 와서 받을게요.",
            )
            s.say(
                d,
                f"네, {back}[으로/로] 예약해 드리겠습니다. {advice}",
                f"그러세요. {back}에 예약을 잡아 놓을게요. {advice}",
            )
            plan = f"{p}[은/는] 검사를 {back}[으로/로] 미룹니다."
            late = f"검사는 {back}에 받기로 합니다."
        s.summarize(
            f"{d}[은/는] {since}부터 아픈 {p}에게 {diag}[이/가] 의심된다며 {test}[을/를] 권합니다. {plan}"
            + tail[0],
            f"{p}[은/는] {noun}[으로/로] 병원에 왔고 {test} 비용이 {fee} 정도라는 설명을 듣습니다. {late}"
            + tail[1],
            f"{diag}[이/가] 의심되는 {p}[은/는] {fee} 정도 드는 {test}[을/를] 하기로 합니다. {late}"
            + tail[2],
        )
    else:
        why = s.pick(
            "저희 병원에는 장비가 없어서요",
            "자세한 검사가 필요해서요",
            "전문의에게 보이는 게 안전해서요",
            "증상이 오래가는 게 마음에 걸려서요",
        )
        s.say(
            d,
            f"{diag} 같기는 한데 큰 병원에 가 보시는 게 좋겠습니다. {why}.",
            f"{diag}[이/가] 의심됩니다만 대학 병원에서 한 번 더 보셔야겠어요. {why}.",
        )
        s.say(p, "많이 안 좋은 건가요?", "큰 병인가요? 걱정되네요.", "어느 병원으로 가야 하나요?")
        s.say(
            d,
            f"너무 걱정하지 마세요. 소견서를 써 드릴 테니 {test}[을/를] 받아 보세요.",
            f"확인 차원이에요. 소견서를 들고 가서 {test}[을/를] 받으시면 됩니다.",
        )
        s.say(p, f"그럼 {back}에 가 볼게요.", f"네, {back}[으로/로] 예약해 보겠습니다.")
        s.summarize(
            f"{d}[은/는] {noun}[으로/로] 찾아온 {p}에게 {diag}[이/가] 의심된다며 큰 병원에서 {test}[을/를] 받으라고 소견서를 써 줍니다."
            + tail[0],
            f"{p}[은/는] {since}부터 아파 진료를 받았지만 더 큰 병원에 가라는 말을 듣고 {back}에 가기로 합니다."
            + tail[1],
            f"{p}[은/는] {d}에게 소견서를 받아 {back}에 다른 병원에서 {test}[을/를] 받아 보기로 합니다."
            + tail[2],
        )


# complaint | medicine | dose | verb said | verb reported | caution | another medicine
REMEDIES = rows("""
속이 더부룩하고 자꾸 체해요|소화제|식후에 두 알씩|드세요|먹으라고|기름진 음식은 피하세요|생약 소화제
머리가 지끈거려요|두통약|여섯 시간마다 한 알씩|드세요|먹으라고|빈속에는 드시지 마세요|카페인 없는 두통약
콧물이 나고 목이 칼칼해요|종합 감기약|하루 세 번 식후에|드세요|먹으라고|졸릴 수 있으니 운전은 피하세요|졸리지 않은 감기약
모기에 물린 데가 너무 가려워요|가려움증 연고|하루 두세 번 얇게|바르세요|바르라고|상처 난 곳에는 바르지 마세요|어린이용 겔
종이에 손을 깊게 베였어요|상처 연고|하루 두 번 씻고 나서|바르세요|바르라고|밴드는 자주 갈아 주세요|습윤 밴드
등산을 다녀와서 종아리가 뭉쳤어요|파스|하루에 한 장씩|붙이세요|붙이라고|자기 전에는 떼세요|바르는 파스
차만 타면 멀미를 해요|멀미약|출발 30분 전에 한 병|드세요|먹으라고|술과 같이 드시면 안 됩니다|붙이는 멀미약
모니터를 오래 봐서 눈이 뻑뻑해요|인공 눈물|하루 네 번 한 방울씩|넣으세요|넣으라고|뚜껑을 연 건 그날 버리세요|보존제 없는 점안액
화장실을 통 못 가고 있어요|변비약|자기 전에 한 알|드세요|먹으라고|물을 많이 드세요|식이 섬유 가루
입안이 헐어서 밥을 못 먹겠어요|구내염 연고|식후와 자기 전에|바르세요|바르라고|바르고 30분은 물을 드시지 마세요|구내염 패치
배가 살살 아프고 설사를 해요|지사제|한 번에 한 포씩|드세요|먹으라고|우유는 드시지 마세요|유산균
코가 꽉 막혀서 숨쉬기 힘들어요|코 스프레이|하루 두 번 한 번씩|뿌리세요|뿌리라고|일주일 넘게 쓰지 마세요|식염수 스프레이
생리통이 심해서 일을 못 하겠어요|진통제|아플 때 한 알씩|드세요|먹으라고|하루 네 알을 넘기지 마세요|진경제
요즘 너무 피곤하고 입술이 자꾸 터요|비타민|아침 식사 뒤에 한 알씩|드세요|먹으라고|커피와 같이 드시지 마세요|마시는 영양제
발가락 사이가 갈라지고 가려워요|무좀약|하루 한 번 발을 말린 뒤|바르세요|바르라고|증상이 없어져도 2주는 더 바르세요|스프레이 무좀약
""")
LASTING = [
    "소화제",
    "두통약",
    "종합 감기약",
    "인공 눈물",
    "변비약",
    "구내염 연고",
    "지사제",
    "코 스프레이",
    "비타민",
    "무좀약",
]
SHOPS = ["역 앞 약국", "시장 입구 약국", "길 건너 약국", "병원 1층 약국", "학교 옆 약국", "마트 안 약국"]
GREET = ["안녕하세요.", "저기요.", "약사님,", "안녕하세요, 약사님."]


def pharmacy(s: Scene) -> None:
    """A customer needs medicine: bought, exchanged for a cheaper or safer one, sold out, or a doctor is advised."""
    if s.chance(0.35):
        _prescription(s)
        return
    c, ph = s.speaker(GIVEN), s.speaker(GIVEN)
    ill, drug, dose, verb, told, care, other = s.rng.choice(REMEDIES)
    s.topic = s.pick("약국에서 약 사기", f"{drug} 구입", "약국 상담")
    hello = s.rng.choice(GREET)
    inner = verb == "드세요"
    ending = s.pick("buy", "cheaper", "safer", "doctor", "soldout", "elsewhere")
    if (ending == "safer" and not inner) or (ending == "doctor" and drug not in LASTING):
        ending = s.pick("buy", "cheaper", "elsewhere")
    if s.chance(0.3):
        s.say(ph, "어서 오세요. 어떤 약을 찾으세요?", "어서 오세요. 어디가 불편하세요?")
        hello = ""
    s.say(
        c,
        f"{hello} {ill}. 뭐가 좋을까요?",
        f"{hello} {drug} 있어요? {ill}.",
        f"{hello} {ill}. {drug}[을/를] 사면 될까요?",
        f"{hello} {ill}. 추천해 주실 만한 게 있나요?",
    )
    price, low = won(s.rng, 5500, 14000), won(s.rng, 2000, 5000)
    if inner and s.chance(0.6):
        s.say(
            ph,
            "본인이 드실 거죠? 다른 증상은 없으시고요?",
            "다른 데는 괜찮으세요?",
            "열이 나거나 하지는 않으세요?",
        )
        s.say(c, "네, 그것 말고는 괜찮아요.", "네, 다른 데는 멀쩡해요.")
    if ending in ("buy", "cheaper"):
        s.say(
            ph,
            f"그럼 이 {drug}[을/를] {dose} {verb}. 가격은 {price}입니다.",
            f"이 {drug}[이/가] 잘 듣습니다. {dose} {verb}. {price}이에요.",
        )
    if ending == "buy":
        s.say(c, "주의할 점이 있나요?", "이것만 쓰면 되나요?")
        s.say(ph, f"{care}.", f"네, 다만 {care}.")
        n = s.pick("하나", "두 개")
        s.say(c, f"네, {n} 주세요. 카드로 할게요.", f"그럼 {n} 살게요.")
        s.summarize(
            f"{c}[은/는] 약국에서 {drug}[을/를] {n} 삽니다. {ph}[은/는] 약을 {dose} {told} 설명합니다.",
            f"{ph}[은/는] 증상을 듣고 {price}짜리 {drug}[을/를] 권하며 {dose} {told} 합니다. {c}[은/는] {n}[을/를] 사기로 합니다.",
            f"{drug}[이/가] 필요한 {c}[은/는] {ph}에게 사용법과 주의할 점을 듣고 가격이 {price}인 약을 {n} 구입합니다.",
        )
    elif ending == "cheaper":
        s.say(c, "생각보다 비싸네요. 더 싼 건 없어요?", f"{price}이요? 좀 저렴한 제품도 있을까요?")
        s.say(ph, f"성분이 같은 다른 회사 제품은 {low}입니다.", f"양이 적은 게 있어요. 그건 {low}이에요.")
        if s.chance(0.65):
            s.say(c, "그럼 그걸로 주세요.", "그게 낫겠네요. 그거 하나 주세요.")
            s.summarize(
                f"{c}[은/는] {price}짜리 {drug}[이/가] 비싸다며 {low}짜리 제품을 고릅니다.",
                f"{ph}[이/가] {drug}[을/를] {price}에 권했지만 {c}[은/는] 더 싼 {low}짜리를 사기로 합니다.",
                f"약값이 부담된 {c}[이/가] 더 저렴한 {drug}[을/를] 찾자 {ph}[은/는] {low}짜리를 내어 줍니다.",
            )
        else:
            s.say(
                c,
                "음, 그래도 잘 듣는 게 좋겠죠. 처음 걸로 할게요.",
                f"고민되네요. 그냥 {price}짜리로 주세요.",
            )
            s.say(ph, f"네, 알겠습니다. {care}.", f"네. {dose} {verb}.")
            s.summarize(
                f"{c}[은/는] 더 싼 {low}짜리를 물어보지만 결국 {price}짜리 {drug}[을/를] 삽니다.",
                f"{ph}[은/는] {price}짜리와 {low}짜리 {drug}[을/를] 보여 주고, {c}[은/는] 고민 끝에 처음 권한 것을 선택합니다.",
                f"{drug} 가격이 {price}이라는 말에 망설이던 {c}[은/는] 싼 제품 대신 처음 권한 약을 사기로 합니다.",
            )
    elif ending == "safer":
        routine = s.pick(*ROUTINE, "한약", "항생제", "비염약")
        s.say(ph, "혹시 지금 드시는 약이 있으세요?", f"{drug}[을/를] 드리기 전에, 복용 중인 약이 있나요?")
        s.say(c, f"네, {routine}[을/를] 먹고 있어요.", f"{routine}[을/를] 매일 먹어요. 같이 쓰면 안 되나요?")
        s.say(
            ph,
            f"그러면 {drug}보다 {other}[이/가] 안전합니다. {price}이에요.",
            f"함께 쓰면 좋지 않으니 {other}[으로/로] 드릴게요. {price}입니다.",
        )
        s.say(c, "물어봐 주셔서 다행이네요. 그걸로 주세요.", "그런 줄 몰랐어요. 그럼 그걸 살게요.")
        s.summarize(
            f"{c}[이/가] {routine}[을/를] 먹는다고 하자 {ph}[은/는] {drug} 대신 더 안전한 {other}[을/를] 권합니다.",
            f"{c}[은/는] 복용 중인 {routine} 때문에 {drug}[이/가] 아니라 {price}짜리 {other}[을/를] 삽니다.",
            f"{ph}[은/는] {c}에게 먹는 약이 있는지 확인하고 {routine}[과/와] 함께 써도 되는 {other}[을/를] {price}에 내어 줍니다.",
        )
    elif ending == "doctor":
        long = s.pick("일주일", "열흘", "2주", "한 달", "보름", "3주")
        s.say(ph, "이런 증상이 자주 있나요?", "이번이 처음이세요?")
        s.say(c, f"사실 {long}째 그랬다 말았다 해요.", f"처음은 아니고 벌써 {long}째예요.")
        if s.chance(0.5):
            s.say(
                ph,
                "그 정도면 약만 쓰지 말고 병원에 먼저 가 보세요. 오늘은 약을 안 드리는 게 좋겠어요.",
                f"{long}[이나/나] 됐으면 진료를 받으셔야 해요. {drug}[은/는] 권하지 않겠습니다.",
            )
            s.say(c, "그렇군요. 내일 병원에 가 볼게요.", "알겠습니다. 오후에 바로 가 봐야겠네요.")
            s.summarize(
                f"{c}[은/는] {drug}[을/를] 사러 왔지만 증상이 {long}째라는 말을 들은 {ph}[은/는] 약 대신 병원 진료를 권합니다.",
                f"{ph}[은/는] 증상이 {long}째 이어진 {c}에게 약을 팔지 않고 병원에 가라고 합니다.",
                f"{long}째 몸이 불편한 {c}[은/는] 약을 사지 않고 병원에 가 보기로 합니다.",
            )
        else:
            s.say(
                ph,
                f"오늘은 {drug}[을/를] 드릴 테니 사흘 써 보고 안 나으면 병원에 가세요. {price}입니다.",
                f"우선 {drug}[을/를] {dose} {verb}. {price}이고요, 그래도 그러면 꼭 병원에 가셔야 합니다.",
            )
            s.say(c, "네, 명심할게요. 여기 카드요.", "알겠습니다. 일단 이걸로 해 볼게요.")
            s.summarize(
                f"{c}[은/는] {long}째 이어진 증상으로 {price}짜리 {drug}[을/를] 사고, 낫지 않으면 병원에 가라는 말을 듣습니다.",
                f"{ph}[은/는] {drug}[을/를] {price}에 내어 주면서 그래도 좋아지지 않으면 진료를 받으라고 합니다.",
                f"{long}째 몸이 불편한 {c}[은/는] 우선 {drug}[을/를] 써 보기로 합니다.",
            )
    elif ending == "soldout":
        when = s.pick("내일 ", "모레 ", "내일모레 ") + clock(s.rng, 9, 19)
        s.say(
            ph,
            f"어쩌죠, {drug}[이/가] 방금 다 나갔어요. {when}에 들어옵니다.",
            f"지금 {drug}[은/는] 재고가 없네요. {when}쯤 들어올 거예요.",
        )
        s.say(
            c,
            "그럼 하나 맡아 주실 수 있어요? 제 번호는 #PhoneNumber#예요.",
            "들어오면 연락 좀 주세요. #PhoneNumber#입니다.",
            "그때 올게요. 하나만 빼 놔 주세요. 연락처는 #PhoneNumber#예요.",
        )
        s.say(ph, "네, 들어오는 대로 문자 드릴게요.", "적어 뒀습니다. 그때 오세요.")
        s.summarize(
            f"약국에 {drug}[이/가] 떨어져 {c}[은/는] 전화번호를 남기고 {when} 이후에 받기로 합니다.",
            f"{ph}[은/는] {drug}[이/가] {when}에 들어온다고 알리고 {c}[은/는] 연락처를 남겨 예약합니다.",
            f"{c}[은/는] {drug}[을/를] 사러 갔지만 재고가 없어 예약만 하고, 약은 {when}에 들어올 예정입니다.",
        )
    else:
        shop = s.rng.choice(SHOPS)
        s.say(
            ph,
            f"죄송하지만 저희는 {drug}[이/가] 다 떨어졌어요. {other}[은/는] 있는데 어떠세요?",
            f"{drug}[은/는] 없고 비슷한 {other}[이/가] {price}에 있습니다.",
        )
        s.say(
            c,
            f"저는 쓰던 {drug}[이/가] 편해서요.",
            f"{other}[은/는] 저한테 안 맞더라고요.",
            f"전에 {drug}[이/가] 잘 들어서 그걸 쓰고 싶어요.",
        )
        s.say(
            ph,
            f"그러면 {shop}에 가 보세요. 거기는 있을 거예요.",
            f"{shop}에 전화해 봤더니 있다네요. 그쪽으로 가 보세요.",
        )
        s.say(c, "네, 친절하게 알려 주셔서 감사해요.", "아, 거기까지 가야겠네요. 감사합니다.")
        s.summarize(
            f"{c}[은/는] {drug}[을/를] 찾지만 약국에 없습니다. {ph}[은/는] {other}[을/를] 권하다가 {shop}[으로/로] 가 보라고 합니다.",
            f"{drug}[이/가] 떨어진 약국에서 {c}[은/는] {other}[을/를] 거절하고 {shop}에 가기로 합니다.",
            f"{ph}[은/는] {other}[을/를] 원하지 않는 {c}에게 {drug}[이/가] 있는 {shop}[을/를] 알려 줍니다.",
        )


def _prescription(s: Scene) -> None:
    """The pharmacy's other half: a prescription is filled, with a question or a snag."""
    c, ph = s.speaker(GIVEN), s.speaker(GIVEN)
    days = s.pick("사흘", "닷새", "일주일", "3일", "5일", "열흘", "2주")
    often = s.pick(
        "하루 두 번 식후에",
        "하루 세 번 식후 30분에",
        "아침저녁으로",
        "자기 전에 한 번",
        "하루 한 번 아침에",
        "여덟 시간마다",
    )
    price = won(s.rng, 3000, 21000, 100)
    ending = s.pick("plain", "drowsy", "swap", "later", "wrongday")
    if ending == "drowsy":
        often = s.pick("하루 두 번 식후에", "하루 세 번 식후 30분에", "아침저녁으로", "여덟 시간마다")
    s.topic = s.pick("처방 약 조제", "처방전과 복용법", "약국에서 약 받기")
    s.say(
        c,
        "처방전 여기 있어요.",
        "안녕하세요. 이 처방전으로 약을 받으려고요.",
        "방금 병원에서 왔는데 약 좀 지어 주세요.",
    )
    if ending in ("plain", "drowsy"):
        s.say(
            ph,
            "성함이 #PersonName# 맞으시죠? 잠시만 기다려 주세요.",
            "성함이 #PersonName# 맞으시죠? 앉아서 기다려 주세요.",
            "약을 준비할 테니 앉아서 기다려 주세요.",
        )
        s.say(c, "네.", "네, 천천히 하세요.", "네, 기다릴게요.")
        s.say(
            ph,
            f"다 됐습니다. {days}치이고 {often} 드시면 돼요. 약값은 {price}입니다.",
            f"약 나왔습니다. {days} 동안 {often} 드세요. {price}이에요.",
        )
    if ending == "plain":
        s.say(
            c,
            "한 번 빼먹으면 두 봉지를 먹어도 되나요?",
            "깜빡하고 못 먹으면 어떻게 하죠?",
            "깜빡했을 때 두 배로 먹어도 돼요?",
        )
        s.say(
            ph,
            "아니요, 한 번에 두 봉지를 드시면 안 됩니다. 생각났을 때 한 봉지만 드세요.",
            "그럴 때는 한 봉지만 드시고 다음 시간은 띄워 주세요. 두 배로 드시면 안 돼요.",
        )
        s.say(c, "네, 알겠습니다.", "그렇군요. 감사합니다.")
        s.summarize(
            f"{c}[은/는] 처방전을 내고 {days}치 약을 받습니다. {ph}[은/는] 약을 {often} 먹고, 빠뜨려도 한 번에 두 배를 먹지 말라고 합니다.",
            f"{ph}[은/는] {days}치 약을 {often} 먹으라고 안내하고, 약을 거르면 한 봉지만 먹으라고 답합니다.",
            f"{price}을 내고 {days}치 약을 받은 {c}[은/는] 약 먹는 때를 놓쳤을 때의 방법을 물어봅니다.",
        )
    elif ending == "drowsy":
        job = s.pick("운전", "시험", "발표", "야간 근무", "면접", "장거리 운전")
        s.say(
            c,
            f"이 약 먹으면 졸린가요? 내일 {job}[이/가] 있어서요.",
            f"혹시 졸음이 오나요? {job}[을/를] 앞두고 있거든요.",
        )
        s.say(
            ph,
            "네, 노란 알약이 졸릴 수 있어요. 그건 저녁에만 드세요.",
            "졸릴 수 있습니다. 노란 알약은 낮에는 빼고 저녁에 드세요.",
        )
        s.say(c, "저녁에만요. 잘 알겠습니다.", "미리 물어보길 잘했네요. 고맙습니다.")
        s.summarize(
            f"{c}[은/는] {days}치 약을 받으며 {job} 때문에 졸릴지 걱정하고, {ph}[은/는] 노란 알약을 저녁에만 먹으라고 합니다.",
            f"{ph}[은/는] 약을 {often} 먹되 졸릴 수 있는 노란 알약은 저녁에 먹으라고 {c}에게 알려 줍니다.",
            f"{job}[을/를] 앞둔 {c}[은/는] 약이 졸린지 묻고, 노란 알약은 저녁에 먹기로 합니다.",
        )
    elif ending == "swap":
        s.say(
            ph,
            "처방된 약 중 하나가 지금 없는데 성분이 같은 다른 회사 약으로 드려도 될까요?",
            "이 약은 저희가 안 갖고 있어요. 같은 성분의 약으로 바꿔도 괜찮으세요?",
        )
        s.say(c, "효과는 똑같은가요?", "차이는 없는 거죠?")
        s.say(ph, f"네, 똑같고 값은 오히려 싸서 {price}입니다.", f"효과는 같습니다. 약값은 {price}이고요.")
        if s.chance(0.6):
            s.say(c, "그럼 바꿔서 주세요.", "네, 그렇게 해 주세요.")
            s.say(
                ph, f"{days}치 지어 드릴게요. {often} 드세요.", f"네, {days}치입니다. {often} 드시면 됩니다."
            )
            s.summarize(
                f"{ph}[은/는] 처방된 약 하나가 없다며 성분이 같은 약을 권하고, {c}[은/는] 동의하여 {days}치를 받습니다.",
                f"{c}[은/는] 없는 약을 같은 성분의 약으로 바꾸어 {price}에 {days}치를 짓습니다.",
                f"{c}[은/는] 효과가 같다는 설명을 듣고 바꾼 약을 {often} 먹기로 합니다. 약값은 {price}입니다.",
            )
        else:
            shop = s.rng.choice(SHOPS)
            s.say(
                c,
                f"저는 처방대로 받고 싶어요. {shop}에 가 볼게요.",
                f"의사 선생님이 그 약을 꼭 먹으라고 하셔서요. {shop}[으로/로] 갈게요.",
            )
            s.say(ph, "네, 처방전 돌려드릴게요.", "그러세요. 처방전 여기 있습니다.")
            s.summarize(
                f"{ph}[이/가] 없는 약을 같은 성분의 약으로 바꾸자고 하지만 {c}[은/는] 거절하고 {shop}[으로/로] 가기로 합니다.",
                f"{c}[은/는] 처방된 약을 그대로 받고 싶어 처방전을 돌려받아 {shop}에 가 보려고 합니다.",
                f"처방된 약 하나가 없는 약국에서 {c}[은/는] {price}짜리 대체 약을 받지 않고 {shop}[을/를] 찾아가기로 합니다.",
            )
    elif ending == "later":
        wait, back = s.rng.choice([20, 30, 40, 50]), clock(s.rng, 13, 18)
        s.say(
            ph, f"앞에 손님이 많아서 {wait}분쯤 기다리셔야 해요.", f"지금 밀려 있어서 {wait}분 정도 걸립니다."
        )
        s.say(
            c,
            f"그럼 볼일을 보고 {back}에 찾으러 와도 되나요?",
            f"{wait}분이나요? {back}에 다시 올게요.",
            f"오래 걸리네요. {back}까지 와서 받아도 될까요?",
        )
        s.say(
            ph,
            f"네, {days}치 지어 놓을게요. 저희는 저녁 8시까지 합니다.",
            f"그럼요. {days}치 준비해 두겠습니다. 번호는 #PhoneNumber# 맞으시죠?",
        )
        s.say(c, "네, 이따 올게요.", "네, 부탁드려요.")
        s.summarize(
            f"{ph}[이/가] {wait}분쯤 걸린다고 하자 {c}[은/는] {back}에 약을 찾으러 오기로 합니다.",
            f"{c}[은/는] 처방전을 맡기고 {days}치 약을 {back}에 받아 가기로 합니다.",
            f"약국이 붐벼 {wait}분을 기다려야 해서 {c}[은/는] 약을 나중에 받기로 하고, {ph}[은/는] {days}치를 지어 놓겠다고 합니다.",
        )
    else:
        late = s.rng.randint(4, 12)
        s.say(
            ph,
            f"이 처방전은 사용 기간이 {late}일이나 지났는데요.",
            f"날짜를 보니 {late}일 전에 기한이 끝난 처방전이네요.",
        )
        s.say(c, "정말요? 바빠서 못 왔는데 그냥 지어 주시면 안 돼요?", "아, 깜빡했네요. 방법이 없을까요?")
        s.say(
            ph,
            "규정상 안 됩니다. 병원에서 처방전을 다시 받아 오셔야 해요.",
            "죄송하지만 처방전을 새로 받으셔야 합니다.",
        )
        when = clock(s.rng, 17, 19)
        s.say(c, "그 병원이 몇 시까지 하는지 아세요?", "병원이 아직 열려 있을까요?")
        s.say(ph, f"{when}까지 하니까 지금 가 보세요.", f"오늘은 {when}까지 진료하더라고요.")
        s.summarize(
            f"{c}의 처방전은 기한이 {late}일 지나 약을 받을 수 없습니다. {ph}[은/는] {when}까지 하는 병원에서 새로 받으라고 합니다.",
            f"{ph}[은/는] 기한이 {late}일 지난 처방전으로는 약을 지어 줄 수 없다고 하고 병원이 {when}까지 한다고 알려 줍니다.",
            f"기한을 {late}일 넘긴 처방전을 낸 {c}[은/는] 약을 받지 못하고 병원에서 처방전을 다시 받으라는 말을 듣습니다.",
        )


SPOTS = [
    "우체국",
    "시립 도서관",
    "보건소",
    "구청",
    "박물관",
    "전통 시장",
    "버스 터미널",
    "주민 센터",
    "미술관",
    "경찰서",
    "수영장",
    "법원",
    "예식장",
    "한옥 마을",
    "유스 호스텔",
    "세무서",
    "어린이 병원",
    "문화 회관",
]
RESTING = ["박물관", "미술관", "시립 도서관", "문화 회관", "수영장", "전통 시장", "한옥 마을"]
NEARBY = [
    "강 건너",
    "역 뒤편",
    "신도시",
    "시청 옆",
    "중앙 공원 근처",
    "대학교 앞",
    "큰 다리 건너",
    "옛 공장 터",
    "체육관 옆",
    "고속도로 입구 근처",
    "호수 공원 옆",
    "버스 차고지 옆",
]
MARKS = [
    "은행",
    "편의점",
    "꽃집",
    "빵집",
    "주유소",
    "초등학교",
    "사진관",
    "교회",
    "안경점",
    "문구점",
    "약국",
    "서점",
    "세탁소",
    "소방서",
]
MEETS = [
    "파스타집",
    "카페",
    "볼링장",
    "영화관",
    "고깃집",
    "노래방",
    "방 탈출 카페",
    "만화 카페",
    "공방",
    "전시장",
    "국숫집",
    "보드게임 카페",
    "스터디 카페",
    "양꼬치집",
]


def asking_way(s: Scene) -> None:
    """A stranger asks the way, or a friend who is lost calls; explained, led, sent by bus, corrected or moved."""
    if s.chance(0.4):
        _lost_friend(s)
        return
    a, b = s.speaker(GIVEN), s.speaker(GIVEN)
    spot = s.rng.choice(SPOTS)
    mark, mark2 = s.some(MARKS, 2)
    side = s.pick("왼쪽", "오른쪽")
    minutes = s.rng.choice([3, 5, 7, 8, 10, 12, 15])
    s.topic = s.pick("길 묻기", f"{spot} 찾아가기", "길 안내")
    s.say(
        a,
        f"실례합니다. {spot}에 가려는데 어느 쪽인가요?",
        f"저기요, 말씀 좀 여쭐게요. 이 근처에 {spot}[이/가] 있나요?",
        f"죄송한데 {spot}[으로/로] 가는 길 좀 알려 주실 수 있을까요?",
        f"혹시 {spot}[이/가] 어디 있는지 아세요? 지도를 봐도 모르겠어요.",
    )
    ending = s.pick("walk", "walk", "bus", "together", "unknown", "correct", "moved", "closed")
    if ending == "closed" and spot not in RESTING:
        ending = "moved"
    if ending == "moved" and spot in ("전통 시장", "한옥 마을"):
        ending = "walk"
    if ending == "walk":
        s.say(
            b,
            f"이 길로 쭉 가다가 {mark} 앞에서 {side}[으로/로] 도세요.",
            f"저기 {mark} 보이시죠? 거기서 {side}[으로/로] 꺾으시면 돼요.",
            f"{mark}[이/가] 나올 때까지 직진하신 다음 {side}[으로/로] 가세요.",
        )
        if s.chance(0.5):
            s.say(a, f"{mark}에서 {side}이요?", f"아, {side}[으로/로] 꺾는다고요?")
            s.say(b, f"네, 그러면 {mark2} 옆에 {spot}[이/가] 있어요.", f"맞아요. {mark2} 바로 옆 건물이에요.")
        near = s.chance(0.5)
        s.say(a, "걸어서 얼마나 걸려요?", "여기서 먼가요?")
        s.say(b, f"걸어서 {minutes}분이면 도착해요.", f"천천히 걸어도 {minutes}분 정도예요.")
        s.say(a, "감사합니다. 덕분에 금방 찾겠네요.", "친절하게 알려 주셔서 감사합니다.")
        if near:
            s.say(b, "조심히 가세요.", "별말씀을요. 가다가 모르겠으면 또 물어보세요.")
        s.summarize(
            f"{a}[은/는] {spot}[으로/로] 가는 길을 묻고, {b}[은/는] {mark}에서 {side}[으로/로] 가면 {minutes}분 걸린다고 알려 줍니다.",
            f"{b}[은/는] {spot}[을/를] 찾는 {a}에게 {mark} 쪽으로 가다 {side}[으로/로] 꺾으라고 설명합니다. 걸어서 {minutes}분 거리입니다.",
            f"{spot}[을/를] 찾던 {a}[은/는] {mark}에서 {side}[으로/로] 돌아 {minutes}분쯤 걸으면 된다는 설명을 듣습니다.",
        )
    elif ending == "bus":
        bus, stops = (
            s.rng.choice([101, 152, 273, 370, 421, 503, 640, 707, 720, 1100, 2016, 7016]),
            s.pick("두", "세", "네", "다섯", "여섯"),
        )
        s.say(
            b,
            f"거긴 걷기에는 멀어요. {bus}번 버스를 타세요.",
            f"여기서 꽤 멀어요. {bus}번을 타시는 게 나아요.",
        )
        s.say(a, "정류장은 어디에 있어요?", "어디서 타면 되나요?")
        s.say(
            b,
            f"{mark} 앞에서 타고 {stops} 정거장 뒤에 내리세요.",
            f"저기 {mark} 앞에 정류장이 있어요. {stops} 정거장만 가면 됩니다.",
        )
        if s.chance(0.4):
            fare = won(s.rng, 1200, 1700, 100)
            s.say(a, "현금으로도 탈 수 있나요?", "버스비가 얼마예요?")
            s.say(b, f"교통카드만 되고 요금은 {fare}이에요.", f"{fare}이고 카드로만 받아요.")
        s.say(a, f"{bus}번이죠? 감사합니다.", "네, 고맙습니다. 버스를 타야겠네요.")
        s.summarize(
            f"{a}[이/가] {spot} 가는 길을 묻자 {b}[은/는] 멀다며 {mark} 앞에서 {bus}번 버스를 타라고 합니다.",
            f"{spot}까지 걷기에는 멀어서 {a}[은/는] {bus}번 버스를 타고 {stops} 정거장을 가라는 안내를 받습니다.",
            f"{b}[은/는] {spot}에 가려는 {a}에게 {bus}번을 {mark} 앞에서 타고 {stops} 정거장 뒤에 내리라고 알려 줍니다.",
        )
    elif ending == "together":
        why = s.pick(
            "퇴근하는 길",
            "장을 보러 가는 길",
            "그 옆 건물에 가는 길",
            "친구를 만나러 가는 길",
            "산책하는 길",
            "아이를 데리러 가는 길",
        )
        s.say(b, f"저도 그쪽으로 {why}이에요. 같이 가시죠.", f"마침 {why}인데 따라오실래요?")
        s.say(a, "그래도 될까요? 정말 감사합니다.", "아, 잘됐네요. 그럼 신세 좀 질게요.")
        if s.chance(0.6):
            s.say(b, f"{spot}에는 무슨 일로 가세요?", "여기는 처음이세요?")
            s.say(
                a,
                "네, 지난달에 이사 와서 아직 길을 몰라요."
                if s.turns[-1][1].startswith("여기")
                else s.pick(
                    "친구가 거기서 기다리고 있어요.", "서류를 낼 게 있어서요.", "일이 있어서 처음 가 봐요."
                ),
            )
        s.say(
            b,
            f"저기 {mark}[을/를] 지나면 바로예요. {minutes}분이면 가요.",
            f"{mark} 뒤쪽이라 찾기 어려우셨을 거예요. {minutes}분만 걸으면 됩니다.",
        )
        s.say(a, "혼자 왔으면 헤맸겠네요.", "설명만 들었으면 못 찾을 뻔했어요.")
        s.summarize(
            f"{spot}[을/를] 찾는 {a}에게 {b}[은/는] {why}[이라며/라며] 함께 가자고 합니다. 거리는 {minutes}분 정도입니다.",
            f"{a}[은/는] {spot}까지 {b}[과/와] 같이 걸어가게 됩니다. {b}[은/는] 걸어서 {minutes}분이면 된다고 합니다.",
            f"{b}[은/는] 마침 {why}[이라/라] {a}[을/를] {spot}까지 데려다주기로 합니다.",
        )
    elif ending == "unknown":
        s.say(
            b,
            "죄송해요, 저도 여기 사람이 아니라서 잘 몰라요.",
            "글쎄요, 저도 초행이라 모르겠네요.",
            "미안합니다. 저도 여행 온 거라서요.",
        )
        s.say(
            a,
            "그러시군요. 어디에 물어보면 좋을까요?",
            "아, 네. 이 근처에 물어볼 데가 있을까요?",
            "큰일이네요. 시간이 별로 없는데.",
        )
        if s.chance(0.5):
            s.say(b, f"저 {mark}에 들어가서 물어보시는 게 빠를 거예요.", f"{mark} 직원분은 아실 것 같은데요.")
            s.say(a, f"그래야겠네요. {mark}에 물어볼게요.", "네, 감사합니다. 거기 가서 여쭤볼게요.")
            s.summarize(
                f"{a}[이/가] {spot}[을/를] 묻지만 {b}[은/는] 길을 몰라 {mark}에 가서 물어보라고 합니다.",
                f"{b}[은/는] 이곳 지리를 모른다고 답하고, {a}[은/는] {mark}에서 {spot} 위치를 물어보기로 합니다.",
                f"{spot}[을/를] 찾는 {a}[은/는] 답을 얻지 못하고 {mark}에 들어가 물어보기로 합니다.",
            )
        else:
            s.say(b, "제 휴대폰으로 찾아봐 드릴까요?", "잠시만요, 지도 앱을 켜 볼게요.")
            s.say(a, "그래 주시면 정말 감사하죠.", "네, 제 휴대폰은 배터리가 나갔거든요.")
            s.say(
                b,
                f"나왔네요. {mark} 골목으로 들어가서 {minutes}분 걸으면 돼요.",
                f"지도에는 {mark} 뒤라고 나와요. {minutes}분 거리네요.",
            )
            s.say(a, "정말 큰 도움이 됐어요.", "덕분에 살았습니다. 감사합니다.")
            s.summarize(
                f"{b}[은/는] {spot} 가는 길을 모르지만 휴대폰으로 찾아 {mark} 쪽으로 {minutes}분 거리라고 알려 줍니다.",
                f"{a}[이/가] {spot}[을/를] 묻자 길을 모르는 {b}[은/는] 지도를 검색해 {minutes}분 걸린다고 합니다.",
                f"{a}[은/는] 초면인 {b}의 지도 검색 덕분에 {spot}[이/가] {mark}에서 멀지 않다는 것을 알게 됩니다.",
            )
    elif ending == "correct":
        c = s.speaker(GIVEN)
        wrong = "오른쪽" if side == "왼쪽" else "왼쪽"
        s.say(
            b,
            f"{mark}에서 {wrong}[으로/로] 가시면 될걸요.",
            f"아마 {mark}[을/를] 지나서 {wrong}[으로/로] 돌면 나올 거예요.",
        )
        s.say(
            c,
            f"아니에요. {spot}[은/는] {mark}에서 {side}[으로/로] 가야 해요.",
            f"잠깐만요, {wrong}[이/가] 아니라 {side}이에요. 제가 거기서 일해요.",
        )
        s.say(b, "어머, 제가 헷갈렸네요. 죄송해요.", "아, 그런가요? 저는 옛날 자리인 줄 알았어요.")
        s.say(a, f"그럼 {side}[으로/로] 가서 얼마나 걸으면 되나요?", f"{side}이군요. 여기서 멀어요?")
        s.say(
            c,
            f"{minutes}분만 걸으면 {mark2} 맞은편에 있어요.",
            f"{minutes}분쯤 가면 {mark2} 옆에 보일 거예요.",
        )
        s.say(a, "두 분 다 감사합니다.", "하마터면 반대로 갈 뻔했네요. 고맙습니다.")
        s.summarize(
            f"{a}[이/가] {spot}[을/를] 묻자 {b}[은/는] {wrong}이라고 잘못 알려 주고, {c}[이/가] {mark}에서 {side}[으로/로] 가야 한다고 바로잡습니다.",
            f"{c}[은/는] {b}의 설명을 고쳐 {spot}[은/는] {side}[으로/로] {minutes}분쯤 가면 있다고 {a}에게 알려 줍니다.",
            f"{a}[은/는] {spot} 가는 길을 물어 {b}에게서 틀린 방향을 듣지만, {c} 덕분에 {side}[으로/로] {minutes}분 거리임을 알게 됩니다.",
        )
    elif ending == "moved":
        year = s.pick("작년", "지난달", "올봄", "지난주", "재작년")
        place = s.rng.choice(NEARBY)
        s.say(
            b,
            f"{spot}[은/는] {year}에 {place}[으로/로] 옮겼어요.",
            f"여기 있었는데 {year}에 {place}[으로/로] 이사 갔어요.",
        )
        s.say(a, "정말요? 인터넷에는 여기라고 나오던데요.", "어쩐지 아무리 찾아도 없더라고요.")
        s.say(
            b,
            f"{mark} 앞에서 버스로 {minutes + 15}분이면 가요.",
            f"지하철을 타면 {minutes + 15}분쯤 걸릴 거예요.",
        )
        if s.chance(0.5):
            s.say(a, "그럼 지금 그리로 가야겠네요. 감사합니다.", f"네, {place}[으로/로] 가 볼게요.")
            done = "그쪽으로 가기로 합니다"
        else:
            s.say(a, "오늘은 늦어서 내일 가야겠어요. 감사합니다.", "그럼 오늘은 포기하고 내일 가 볼게요.")
            done = "내일 가기로 합니다"
        s.summarize(
            f"{b}[은/는] {spot}[이/가] {year}에 {place}[으로/로] 옮겼다고 알려 주고, {a}[은/는] {done}.",
            f"{a}[이/가] 찾던 {spot}[은/는] {place}[으로/로] 이사했습니다. {minutes + 15}분쯤 걸린다는 말에 {a}[은/는] {done}.",
            f"{spot}[을/를] 찾던 {a}[은/는] 그곳이 {year}에 {place}[으로/로] 옮겨 갔다는 말을 듣고 {done}.",
        )
    else:
        shut = s.pick("월요일", "화요일", "수요일")
        until = clock(s.rng, 17, 19)
        if s.chance(0.5):
            s.say(
                b,
                f"{mark} 옆이긴 한데 오늘은 쉬는 날이에요. {shut}마다 문을 닫거든요.",
                f"오늘 {shut}이죠? {spot}[은/는] {shut}에 쉬어요.",
            )
            s.say(a, "그걸 몰랐네요. 헛걸음할 뻔했어요.", "아, 하필 오늘 쉬는군요.")
            s.say(b, f"내일 오세요. {mark} 옆이라 찾기 쉬워요.", f"{mark} 옆에 있으니 내일 다시 와 보세요.")
            s.say(a, "네, 내일 다시 와야겠어요. 감사합니다.", "그럼 내일 와 볼게요.")
            s.summarize(
                f"{a}[이/가] {spot}[을/를] 찾자 {b}[은/는] {shut}마다 쉰다고 알려 주고, {a}[은/는] 내일 다시 오기로 합니다.",
                f"{spot}[이/가] {shut}에 문을 닫는다는 말을 들은 {a}[은/는] 내일 다시 찾아오려고 합니다.",
                f"{b} 덕분에 헛걸음을 면한 {a}[은/는] {mark} 옆에 있는 {spot}에 내일 오기로 합니다.",
            )
        else:
            s.say(
                b,
                f"{mark} 지나서 {minutes}분만 가면 되는데, {until}에 문을 닫아요. 서두르세요.",
                f"{mark} 뒤로 {minutes}분 거리예요. 그런데 {until}까지만 하니까 빨리 가셔야 해요.",
            )
            s.say(a, f"{until}이요? 얼마 안 남았네요.", "큰일이네요. 뛰어가야겠어요.")
            s.say(
                b,
                f"{mark} 옆 골목이 지름길이니까 그리로 가세요.",
                "횡단보도로 돌지 말고 지하도로 가면 더 빨라요.",
            )
            s.say(a, "네, 정말 감사합니다!", "알겠습니다. 고맙습니다!")
            s.summarize(
                f"{b}[은/는] {spot}[이/가] {minutes}분 거리에 있지만 {until}에 닫으니 서두르라고 하며 빠른 길을 알려 줍니다.",
                f"{a}[은/는] {until}까지만 하는 {spot}에 가려고 {b}에게 길과 빠른 방법을 듣습니다.",
                f"{spot}[을/를] 찾는 {a}[은/는] {mark}[을/를] 지나 {minutes}분을 가야 하고 {until} 전에 도착해야 한다는 말을 듣습니다.",
            )


def _lost_friend(s: Scene) -> None:
    """The way asked by telephone, between people who are about to meet."""
    a, b = s.speaker(GIVEN), s.speaker(GIVEN)
    meet = s.rng.choice(MEETS)
    mark, mark2 = s.some(MARKS, 2)
    place, exit_no, right_no = (
        s.rng.choice(
            [p for p in PLACES if p.endswith("역") or p in ("시청", "잠실", "신촌", "종로", "명동")]
        ),
        *s.some(list("12345678"), 2),
    )
    minutes = s.rng.choice([3, 5, 7, 10, 15])
    s.topic = s.pick("길을 잃은 친구", "만나기로 한 곳 찾기", "전화로 길 안내")
    called = s.chance(0.6)
    name = b.name if called else str(b)
    s.say(
        a,
        (s.level(f"{b.name} 씨, ", f"{b.name}[아/야], ") if called else s.level("여보세요? ", "여보세요? "))
        + s.level(
            s.pick(
                f"저 지금 {place} {exit_no}번 출구인데 {meet}[이/가] 안 보여요.",
                f"{meet}[이/가] 어디예요? 저 {place} {exit_no}번 출구로 나왔어요.",
                f"{place} {exit_no}번 출구 앞인데 {meet}[을/를] 못 찾겠어요.",
            ),
            s.pick(
                f"나 {place} {exit_no}번 출구인데 {meet}[이/가] 안 보여.",
                f"{meet}[이/가] 어디야? 나 {place} {exit_no}번 출구로 나왔는데.",
                f"{place} {exit_no}번 출구 앞인데 {meet}[을/를] 못 찾겠어.",
            ),
        ),
    )
    ending = s.pick("guide", "exit", "fetch", "stay", "late")
    s.say(
        b,
        s.level("주변에 뭐가 보여요?", "주변에 뭐 보여?"),
        s.level("앞에 뭐가 있는지 말해 주세요.", "앞에 뭐가 있는지 말해 봐."),
    )
    s.say(
        a,
        s.level(f"{mark}[과/와] {mark2}[이/가] 있어요.", f"{mark}[이랑/랑] {mark2}[이/가] 있어."),
        s.level(
            f"바로 앞에 {mark}[이/가] 있고 건너편은 {mark2}[이에요/예요].",
            f"바로 앞은 {mark}[이고/고] 건너편은 {mark2}[이야/야].",
        ),
    )
    if s.chance(0.35):
        s.say(b, s.level("지도 앱은 켜 봤어요?", "지도 앱은 켜 봤어?"))
        s.say(
            a,
            s.level("켰는데 자꾸 이상한 데로 가라고 해요.", "켰는데 자꾸 이상한 데로 가래."),
            s.level("배터리가 얼마 안 남아서 껐어요.", "배터리 얼마 없어서 껐어."),
        )
    if ending == "guide":
        s.say(
            b,
            s.level(
                f"그럼 {mark2} 쪽으로 건너서 {minutes}분만 직진하세요.",
                f"그럼 {mark2} 쪽으로 건너서 {minutes}분만 쭉 와.",
            ),
            s.level(
                f"{mark2} 옆 골목으로 들어와서 {minutes}분만 걸으면 돼요.",
                f"{mark2} 옆 골목으로 들어와서 {minutes}분만 걸어.",
            ),
        )
        s.say(
            a,
            s.level("아, 저 골목이군요. 금방 갈게요.", "아, 저 골목이구나. 금방 갈게."),
            s.level("이제 알겠어요. 바로 갈게요.", "이제 알겠다. 바로 갈게."),
        )
        s.say(
            b,
            s.level("네, 문 앞에 나와 있을게요.", "응, 문 앞에 나와 있을게."),
            s.level("천천히 오세요. 먼저 들어가 있을게요.", "천천히 와. 먼저 들어가 있을게."),
        )
        s.summarize(
            f"{place} {exit_no}번 출구에서 길을 잃은 {a}에게 {name}[은/는] {mark2} 쪽으로 {minutes}분 걸어오라고 알려 줍니다.",
            f"{a}[은/는] {meet}[을/를] 찾지 못해 전화하고, {name}의 설명을 듣고 {mark2} 쪽 길로 가기로 합니다.",
            f"{name}[은/는] {meet}[을/를] 못 찾는 {a}에게 {mark2}에서 {minutes}분 거리라고 설명합니다.",
        )
    elif ending == "exit":
        s.say(
            b,
            s.level(
                f"반대쪽으로 나오셨네요. {right_no}번 출구로 나오셔야 해요.",
                f"반대로 나왔네. {right_no}번 출구로 나와야 돼.",
            ),
            s.level(
                f"{exit_no}번이 아니라 {right_no}번 출구예요.", f"{exit_no}번이 아니라 {right_no}번 출구야."
            ),
        )
        s.say(
            a,
            s.level("아, 잘못 알고 있었네요. 다시 내려갈게요.", "아, 내가 잘못 알았네. 다시 내려갈게."),
            s.level("어쩐지 이상했어요. 지하로 건너갈게요.", "어쩐지 이상하더라. 지하로 건너갈게."),
        )
        s.say(
            b, s.level(f"거기서 {minutes}분이면 와요. 기다릴게요.", f"거기서 {minutes}분이면 와. 기다릴게.")
        )
        s.summarize(
            f"{a}[은/는] {place} {exit_no}번 출구로 잘못 나왔고, {name}[은/는] {right_no}번 출구로 다시 나오라고 합니다.",
            f"{name}[은/는] {meet}[을/를] 찾는 {a}에게 {right_no}번 출구로 나와야 한다고 알려 주고 기다리기로 합니다.",
            f"{meet}[이/가] 보이지 않아 전화한 {a}[은/는] 출구를 착각한 것을 알고 {right_no}번 출구로 가기로 합니다.",
        )
    elif ending == "fetch":
        s.say(
            b,
            s.level("설명하기 어려우니까 제가 데리러 갈게요.", "설명하기 어려우니까 내가 데리러 갈게."),
            s.level("거기 그대로 계세요. 제가 나갈게요.", "거기 그대로 있어. 내가 나갈게."),
        )
        s.say(
            a,
            s.level(f"미안해요. 그럼 {mark} 앞에 있을게요.", f"미안. 그럼 {mark} 앞에 있을게."),
            s.level(f"정말요? 고마워요. {mark} 앞에서 기다릴게요.", f"진짜? 고마워. {mark} 앞에서 기다릴게."),
        )
        s.say(
            b,
            s.level(f"{minutes}분이면 도착해요.", f"{minutes}분이면 가."),
            s.level(f"네, {minutes}분만 기다리세요.", f"응, {minutes}분만 기다려."),
        )
        s.summarize(
            f"{a}[이/가] {meet}[을/를] 찾지 못하자 {name}[은/는] {mark} 앞으로 데리러 가겠다고 합니다. {minutes}분쯤 걸립니다.",
            f"{name}[은/는] 길을 헤매는 {a}에게 그 자리에서 {minutes}분 기다리라고 하고 마중을 나갑니다.",
            f"{place} {exit_no}번 출구에 있는 {a}[은/는] {mark} 앞에서 {name}[을/를] 기다리기로 합니다.",
        )
    elif ending == "stay":
        s.say(
            b,
            s.level(
                f"아, {mark}[이/가] 보이면 거기서 볼까요? {meet}[은/는] 사람이 너무 많아요.",
                f"아, {mark}[이/가] 보이면 그냥 거기서 볼래? {meet}[은/는] 사람이 너무 많아.",
            ),
        )
        s.say(a, s.level("그것도 좋네요. 어디로 갈까요?", "그것도 좋지. 그럼 어디 갈까?"))
        s.say(
            b,
            s.level(
                f"일단 {mark} 앞에서 만나서 정해요. {minutes}분 뒤에 갈게요.",
                f"일단 {mark} 앞에서 만나서 정하자. {minutes}분 뒤에 갈게.",
            ),
        )
        s.say(a, s.level("네, 기다릴게요.", "그래, 기다릴게."))
        s.summarize(
            f"{meet}[을/를] 못 찾는 {a}에게 {name}[은/는] 그곳이 붐빈다며 {mark} 앞에서 만나자고 합니다.",
            f"{a}[과/와] {name}[은/는] 약속 장소를 {meet}에서 {mark} 앞으로 바꾸고 {minutes}분 뒤에 만나기로 합니다.",
            f"{name}[은/는] {meet}에 사람이 많다며 {minutes}분 뒤 {mark} 앞으로 가겠다고 하고, {a}[은/는] 거기서 기다리기로 합니다.",
        )
    else:
        hour = clock(s.rng, 17, 20)
        s.say(
            b,
            s.level(
                f"사실 저도 아직 가는 중이에요. 길이 막혀서 {hour}에나 도착할 것 같아요.",
                f"사실 나도 아직 가는 중이야. 길이 막혀서 {hour}에나 도착할 것 같아.",
            ),
        )
        s.say(
            a,
            s.level(f"그럼 저는 {mark}에서 기다릴게요.", f"그럼 나는 {mark}에서 기다릴게."),
            s.level(f"괜찮아요. {mark}에 들어가 있을게요.", f"괜찮아. {mark}에 들어가 있을게."),
        )
        s.say(
            b,
            s.level("미안해요. 도착하면 같이 찾아가요.", "미안해. 도착하면 같이 찾아가자."),
            s.level("네, 도착하면 전화할게요. 같이 가요.", "응, 도착하면 전화할게. 같이 가자."),
        )
        s.summarize(
            f"{a}[은/는] {meet}[을/를] 찾다가 전화하지만 {name}도 길이 막혀 {hour}에나 도착합니다. {a}[은/는] {mark}에서 기다리기로 합니다.",
            f"{name}[은/는] {hour}쯤 도착한다며 사과하고, {a}[과/와] 함께 {meet}[을/를] 찾아가기로 합니다.",
            f"{meet}[이/가] 어디 있는지 모르는 {a}[은/는] {hour}에 올 {name}[을/를] {mark}에서 기다렸다가 함께 가기로 합니다.",
        )


GOALS = ["중앙 병원", "시청", "국제 공항", "기차역", "고속버스 터미널", "올림픽 공원", "한빛 아파트", "대학교 정문", "종합 운동장", "중앙 시장", "컨벤션 센터", "장례식장", "푸른 초등학교", "호텔 로비", "세무서", "해변 주차장", "방송국", "가구 거리"]  # fmt: skip
LEFT = [
    "지갑",
    "휴대폰",
    "노트북",
    "여권",
    "우산",
    "선물 상자",
    "서류 봉투",
    "안경",
    "태블릿",
    "꽃다발",
    "집 열쇠",
    "출입증",
    "도시락 가방",
    "카메라",
]
JAM = [
    "앞에서 사고가 났나 봐요",
    "공사 때문에 차로를 막아 놨네요",
    "행사가 있어서 길을 통제하네요",
    "퇴근 시간이라 꼼짝도 안 하네요",
    "비가 와서 차가 많네요",
    "마라톤 대회를 하나 봅니다",
]


def taxi_ride(s: Scene) -> None:
    """A taxi ride: the way, the jam, a new destination, something forgotten, the fare; at times two passengers."""
    d, p = s.speaker(GIVEN), s.speaker(GIVEN)
    friend = s.speaker(GIVEN) if s.chance(0.35) else None
    goal, other = s.some(GOALS, 2)
    by = clock(s.rng, 8, 20)
    fare = won(s.rng, 5200, 28000, 100)
    s.topic = s.pick("택시 이용", f"{goal} 가는 택시", "택시 안에서")
    if s.chance(0.5):
        s.say(d, "어서 오세요. 어디로 모실까요?", "안녕하세요. 어디까지 가십니까?")
    s.say(
        p,
        f"기사님, {goal}[으로/로] 가 주세요.",
        f"안녕하세요. {goal}까지 부탁드립니다.",
        f"{goal}까지 가 주세요.",
    )
    if friend:
        s.say(d, "두 분 다 거기서 내리세요?", "짐은 트렁크에 실어 드릴까요?")
        if s.turns[-1][1].startswith("두"):
            s.say(friend, "네, 같이 내려요.", "네, 둘 다 거기로 가요.")
        else:
            s.say(friend, "아니요, 짐이 작아서 괜찮아요.", "안고 타면 되니까 괜찮습니다.")
    if s.chance(0.4):
        s.say(
            d, "큰길로 갈까요, 강변도로로 갈까요?", "터널로 가는 게 빠른데 통행료가 있습니다. 어떻게 할까요?"
        )
        s.say(p, "기사님이 아시는 빠른 길로 가 주세요.", "이 시간에 덜 막히는 쪽으로 부탁드려요.")
        s.say(d, "네, 알겠습니다. 안전벨트 매 주세요.", "그럼 제가 알아서 가겠습니다.")
    if s.chance(0.4):
        s.say(
            p,
            "죄송한데 에어컨 좀 줄여 주시겠어요?",
            "라디오 소리를 조금만 줄여 주실 수 있나요?",
            "창문을 조금 열어도 될까요?",
        )
        s.say(d, "네, 그럼요.", "그럼요, 불편하면 말씀하세요.")
    if friend and s.chance(0.6):
        who = s.level(f"{friend.name} 씨", friend.name)
        s.say(
            p,
            s.level(f"{who}, 아침은 먹고 나왔어요?", f"{friend.name}[아/야], 아침은 먹고 나왔어?")
            if "오전" in by
            else s.level(f"{who}, 많이 피곤하죠?", f"{friend.name}[아/야], 많이 피곤하지?"),
        )
        s.say(
            friend,
            s.level("아니요, 급하게 나오느라 못 챙겼어요.", "아니, 급하게 나오느라 못 챙겼어.")
            if "오전" in by
            else s.level("조금요. 어제 늦게 잤거든요.", "조금. 어제 늦게 잤거든."),
        )
    ending = s.pick("pay", "jam_walk", "jam_wait", "change", "forgot", "cash", "stop", "call")
    if s.turns[-1][0] == p and not ending.startswith("jam"):
        s.say(
            d,
            "네, 출발하겠습니다.",
            "네, 그리로 모시겠습니다.",
            "알겠습니다. 안전벨트 부탁드려요.",
            "네, 오늘은 길이 한산하네요.",
        )
    if ending in ("pay", "cash"):
        s.say(p, f"{by}까지 도착할 수 있을까요?", f"{by} 약속인데 늦지 않겠죠?")
        s.say(d, "이 정도면 충분합니다.", "네, 여유 있게 도착할 겁니다.", "걱정 마세요. 길이 뚫렸네요.")
        s.say(p, "다행이네요.", "그럼 안심이에요.", "아까 봤을 때는 막힌다고 나왔거든요.")
        s.say(d, f"다 왔습니다. {fare}입니다.", f"도착했습니다. 요금은 {fare} 나왔어요.")
    if ending == "pay":
        s.say(p, "카드로 할게요. 영수증도 주세요.", "여기 카드요. 영수증 부탁드려요.")
        s.say(d, "네, 여기 있습니다. 잊은 물건 없는지 확인하세요.", "감사합니다. 조심히 내리세요.")
        s.summarize(
            f"{p}[은/는] 택시를 타고 {goal}까지 가서 요금 {fare}을 카드로 내고 영수증을 받습니다.",
            f"{d}[은/는] {by} 전에 {goal}에 도착할 수 있다고 하고, {p}[은/는] 내리면서 {fare}을 카드로 계산합니다.",
            f"{by}까지 {goal}에 가야 하는 {p}[은/는] 택시로 목적지에 도착해 {fare}을 지불합니다.",
        )
    elif ending == "cash":
        s.say(
            p, "어떡하죠, 카드를 안 가져왔네요. 계좌 이체도 되나요?", "지갑에 카드가 없네요. 이체해도 될까요?"
        )
        if s.chance(0.6):
            s.say(d, "네, 여기 계좌로 보내 주시면 됩니다.", "괜찮습니다. 저 스티커에 적힌 계좌로 보내세요.")
            s.say(p, f"방금 {fare} 보냈어요. 확인해 보세요.", "보냈습니다. 번거롭게 해 드려 죄송해요.")
            s.summarize(
                f"{goal}에 도착한 {p}[은/는] 카드가 없어 택시비 {fare}을 계좌로 보냅니다.",
                f"{d}[은/는] 카드를 두고 온 {p}에게 요금 {fare}을 이체로 받습니다.",
                f"{p}[은/는] {goal}까지 택시를 타고 왔으나 카드가 없어 {fare}을 이체합니다.",
            )
        else:
            payer = friend or None
            s.say(d, "이체는 어렵고 현금이나 카드만 됩니다.", "제가 이체 확인을 못 해서요. 현금은 없으세요?")
            if payer:
                s.say(payer, "제가 카드로 낼게요.", "제 카드로 계산해 주세요.")
                s.say(p, s.level("고마워요. 나중에 줄게요.", "고마워. 나중에 줄게."))
                who_name = str(payer)
                s.summarize(
                    f"{goal}에 도착했지만 {p}에게 카드가 없어 일행인 {who_name}[이/가] 택시비 {fare}을 냅니다.",
                    f"{d}[이/가] 이체는 안 된다고 하자 {who_name}[이/가] 자기 카드로 {fare}을 계산합니다.",
                    f"{p}[은/는] 카드를 안 가져와 {who_name}[이/가] 대신 요금 {fare}을 내고, 나중에 갚겠다고 합니다.",
                )
            else:
                s.say(p, "그럼 저기 편의점에서 돈을 뽑아 올게요.", "잠시만요, 앞에 있는 은행에서 찾아올게요.")
                s.say(d, "네, 여기서 기다리겠습니다.", "그러세요. 미터기는 꺼 둘게요.")
                s.summarize(
                    f"{goal}에 도착한 {p}[은/는] 카드가 없고 이체도 안 되어 택시비 {fare}을 낼 현금을 찾으러 갑니다.",
                    f"{d}[은/는] 이체를 받지 않고, {p}[이/가] {fare}을 현금으로 찾아오는 동안 기다리기로 합니다.",
                    f"{p}[은/는] 택시 요금 {fare}을 카드로 낼 수 없어 현금을 찾아오겠다고 합니다.",
                )
    elif ending in ("jam_walk", "jam_wait"):
        why = s.rng.choice(JAM)
        more = s.rng.choice([15, 20, 25, 30, 40])
        if s.turns[-1][0] == d:
            s.say(p, "왜 이렇게 차가 안 가죠?", "이제 거의 다 왔나요?", "아까부터 차가 서 있네요.")
        s.say(
            d, f"{why}. {goal}까지 {more}분은 더 걸리겠습니다.", f"아이고, {why}. {more}분쯤 더 가야겠어요."
        )
        s.say(p, f"{by}에 시작하는데 큰일이네요.", f"{by}까지 꼭 가야 하는데 어쩌죠?")
        if ending == "jam_walk":
            how, foot = s.pick("지하철을 타", "걸어가", "뛰어가"), s.rng.choice([5, 8, 10, 12])
            s.say(
                d,
                f"여기서 지하철을 타시면 {foot}분이면 갑니다."
                if how == "지하철을 타"
                else f"차라리 여기서 내려서 {how}시면 {foot}분이면 될 거예요.",
            )
            s.say(p, "그럼 여기서 내릴게요. 얼마예요?", "그게 낫겠어요. 저 앞에 세워 주세요.")
            s.say(d, f"{fare}입니다. 조심해서 가세요.", f"네, {fare}이에요. 늦지 않으시길 바랍니다.")
            gone = {"지하철을 타": "지하철을 타고", "걸어가": "걸어서", "뛰어가": "뛰어서"}[how]
            s.summarize(
                f"길이 막혀 {goal}까지 {more}분이 더 걸린다는 말에 {p}[은/는] 택시에서 내려 {gone} 가기로 합니다. 요금은 {fare}입니다.",
                f"{d}[은/는] 여기서 {gone} 가면 {foot}분이면 된다고 하고, {p}[은/는] {fare}을 내고 내립니다.",
                f"{by}까지 {goal}에 가야 하는 {p}[은/는] 길이 막히자 중간에 내려 {gone} 가려고 합니다.",
            )
        else:
            s.say(
                d,
                "골목으로 돌아가면 조금 빠를 텐데 요금이 더 나올 수 있어요.",
                "옆길이 있기는 한데 조금 돌아갑니다.",
            )
            if s.chance(0.5):
                s.say(p, "요금은 괜찮으니 그 길로 가 주세요.", "네, 돌아가더라도 빠른 쪽으로 부탁드려요.")
                s.say(d, "알겠습니다. 최대한 시간을 맞춰 보겠습니다.", "네, 꽉 잡으세요.")
                did = "다른 길로 돌아가기로"
            else:
                s.say(
                    p,
                    "아니에요, 그냥 이대로 가 주세요. 전화로 늦는다고 말할게요.",
                    "괜찮아요. 늦는다고 연락하면 돼요.",
                )
                s.say(d, "네, 안전하게 모시겠습니다.", "그러시죠. 이 사거리만 지나면 풀릴 겁니다.")
                did = "늦는다고 연락하고 그대로 가기로"
            s.summarize(
                f"{goal}[으로/로] 가는 길이 막혀 {more}분쯤 더 걸립니다. {by}까지 가야 하는 {p}[은/는] {did} 합니다.",
                f"{d}[은/는] 길이 막힌다며 옆으로 돌아가는 길을 말하고, {by} 일정이 있는 {p}[은/는] {did} 합니다.",
                f"택시를 탄 {p}[은/는] {goal}까지 {more}분이 더 걸린다는 말을 듣고 {did} 합니다.",
            )
    elif ending == "change":
        why, said = s.rng.choice(
            [
                ("약속 장소가 바뀌어서", "방금 약속 장소가 바뀌었다고 연락이 왔어요."),
                ("가족이 아파서", "가족이 갑자기 아프다고 전화가 왔어요."),
                ("회의가 취소되어서", "회의가 취소됐다는 문자가 왔네요."),
                ("친구를 데리러 가야 해서", "친구가 데리러 와 달라고 하네요."),
                ("행사 장소를 착각해서", "제가 행사 장소를 잘못 알고 있었네요."),
            ]
        )
        s.say(
            p,
            f"기사님, {said} {other}[으로/로] 가 주실 수 있나요?",
            f"죄송한데 {goal} 말고 {other}[으로/로] 가 주세요. {said}",
        )
        if s.chance(0.7):
            extra = s.rng.choice([5, 10, 15, 20, 25])
            s.say(d, f"네, 여기서 {extra}분쯤 걸립니다.", f"그럼 차를 돌려야 해서 {extra}분 정도 더 걸려요.")
            s.say(p, "괜찮아요. 그렇게 해 주세요.", "네, 부탁드립니다.")
            s.summarize(
                f"{p}[은/는] {goal}[으로/로] 가던 중 {why} 목적지를 {other}[으로/로] 바꿉니다. {extra}분쯤 걸립니다.",
                f"{why} {p}[은/는] {d}에게 {goal} 대신 {other}[으로/로] 가 달라고 부탁합니다.",
                f"{d}[은/는] {p}의 부탁으로 {extra}분쯤 걸리는 {other}[으로/로] 향합니다.",
            )
        else:
            s.say(
                d,
                f"제가 교대 시간이라 {other}까지는 못 갑니다. 죄송합니다.",
                f"{other}[은/는] 반대 방향이라 다음 예약에 늦어서 어렵겠습니다.",
            )
            s.say(p, "그럼 여기서 내려서 다른 택시를 탈게요.", "알겠습니다. 저 앞에 세워 주세요.")
            s.say(
                d, f"네, {fare}입니다. 건너편에서 타시면 빨라요.", f"죄송합니다. 여기까지 {fare} 나왔습니다."
            )
            s.summarize(
                f"{p}[은/는] {why} {other}[으로/로] 가 달라고 하지만 {d}[이/가] 갈 수 없다고 해 {fare}을 내고 내립니다.",
                f"{d}[은/는] {other}까지 갈 수 없다고 하고, {p}[은/는] {goal}에 가기 전에 택시에서 내립니다.",
                f"목적지를 {goal}에서 {other}[으로/로] 바꾸려던 {p}[은/는] 거절당해 요금 {fare}을 내고 내리기로 합니다.",
            )
    elif ending == "forgot":
        item = s.rng.choice(LEFT)
        s.say(p, f"아, {item}[을/를] 집에 두고 왔어요.", f"큰일 났네요. {item}[을/를] 놓고 나왔나 봐요.")
        s.say(d, "차를 돌릴까요?", "지금이라도 돌아가시겠어요?")
        if s.chance(0.5):
            s.say(
                p,
                "네, 탔던 데로 다시 가 주세요. 금방 가지고 나올게요.",
                "죄송하지만 처음 탄 곳으로 돌아가 주세요.",
            )
            s.say(
                d,
                f"네, 그러면 {goal}에는 {by}쯤 도착하겠습니다.",
                f"알겠습니다. {goal} 도착은 {by}쯤 되겠네요.",
            )
            s.say(p, "그 정도면 괜찮아요. 감사합니다.", "네, 할 수 없죠.")
            s.summarize(
                f"{p}[은/는] {goal}에 가다가 {item}[을/를] 두고 온 것을 알고 돌아가 달라고 합니다. 도착은 {by}쯤입니다.",
                f"{d}[은/는] {item}[을/를] 가지러 차를 돌리고, {goal}에는 {by}쯤 도착하겠다고 합니다.",
                f"{item}[을/를] 놓고 온 {p} 때문에 택시는 탄 곳으로 되돌아갔다가 {goal}[으로/로] 가기로 합니다.",
            )
        else:
            s.say(
                p,
                f"아니에요, {by}까지 가야 해서 그냥 갈게요.",
                f"시간이 없어요. {by}까지는 도착해야 하거든요.",
            )
            s.say(d, "그럼 서두르겠습니다.", "알겠습니다. 그대로 가겠습니다.")
            s.say(
                p, f"{item}[은/는] 동생한테 가져다 달라고 해야겠어요.", "가족한테 부탁하면 되니까 괜찮아요."
            )
            s.summarize(
                f"{p}[은/는] {item}[을/를] 두고 왔지만 {by}까지 가야 해서 그대로 {goal}[으로/로] 갑니다.",
                f"{d}[이/가] 돌아갈지 묻지만 {p}[은/는] 시간이 없다며 {item} 없이 {goal}[으로/로] 가기로 합니다.",
                f"{item}[을/를] 놓고 온 것을 알게 된 {p}[은/는] 돌아가지 않고 가족에게 부탁하려고 합니다.",
            )
    elif ending == "stop":
        shop = s.pick("약국", "꽃집", "편의점", "은행", "빵집", "문구점", "세탁소")
        wait = s.rng.choice([2, 3, 5, 7])
        s.say(
            p,
            f"가는 길에 {shop} 앞에서 잠깐 세워 주실 수 있나요? {wait}분이면 돼요.",
            f"기사님, {shop}에 {wait}분만 들렀다 가도 될까요?",
        )
        if s.chance(0.5):
            s.say(d, "네, 대신 미터기는 계속 돌아갑니다.", "괜찮습니다. 비상등을 켜고 기다릴게요.")
            s.say(p, "네, 얼른 다녀올게요.", "감사합니다. 뛰어갔다 올게요.")
            s.summarize(
                f"{p}[은/는] {goal}[으로/로] 가는 길에 {shop}에 {wait}분만 들르겠다고 하고 {d}[은/는] 기다려 주기로 합니다.",
                f"{d}[은/는] {shop} 앞에 {wait}분쯤 세워 달라는 {p}의 부탁을 들어줍니다.",
                f"{goal}에 가던 {p}[은/는] 택시를 세워 두고 {shop}에 {wait}분 동안 다녀오기로 합니다.",
            )
        else:
            s.say(
                d,
                "거기는 주정차 단속을 해서 세울 수가 없어요.",
                f"죄송하지만 그 앞은 차를 못 세웁니다. {goal} 근처에도 있어요.",
            )
            s.say(p, f"그럼 {goal}에 도착해서 가야겠네요.", "아, 그렇군요. 내려서 찾아볼게요.")
            s.say(d, "네, 내려 드리는 데서 가깝습니다.", "그게 편하실 겁니다.")
            s.summarize(
                f"{p}[이/가] {shop}에 {wait}분만 들르자고 하지만 {d}[은/는] 차를 세울 수 없다고 합니다. {p}[은/는] {goal}에 내려서 가기로 합니다.",
                f"{d}[은/는] {shop} 앞에 세워 달라는 부탁을 거절하고, {p}[은/는] {goal}에서 내린 뒤 찾아보려고 합니다.",
                f"{shop}에 들르려던 {p}[은/는] 주차가 안 된다는 말을 듣고 {goal}에 도착한 다음 가기로 합니다.",
            )
    else:
        item = s.rng.choice(LEFT)
        far = s.rng.choice([10, 15, 20, 30, 40])
        s.turns.clear()
        s.say(
            p,
            f"여보세요, 기사님. 아까 {goal}에서 내린 사람인데요, {item}[을/를] 두고 내렸어요.",
            f"안녕하세요. {by}쯤 {goal}에서 내렸는데 차에 {item}[이/가] 있는지 봐 주실 수 있나요?",
        )
        s.say(d, "잠깐 차를 세우고 볼게요. 어느 자리에 앉으셨죠?", "지금 확인해 보겠습니다. 뒷자리셨나요?")
        s.say(p, "뒷좌석 오른쪽이요.", "조수석 바로 뒤에 앉았어요.")
        if s.chance(0.6):
            s.say(
                d,
                f"아, {item} 여기 있네요. {far}분 뒤에 {goal}[으로/로] 갖다 드릴까요?",
                f"네, 바닥에 {item}[이/가] 떨어져 있네요. {far}분이면 {goal}[으로/로] 다시 갈 수 있어요.",
            )
            s.say(
                p,
                "정말 감사합니다. 오시는 요금은 제가 드릴게요.",
                "그래 주시면 너무 감사하죠. 택시비도 드리겠습니다.",
            )
            s.say(d, "네, 도착하면 이 번호로 전화드리겠습니다.", "미터기만 켜고 가겠습니다. 거기 계세요.")
            s.summarize(
                f"{p}[이/가] 택시에 두고 내린 {item}[을/를] {d}[이/가] 찾아 {far}분 뒤에 {goal}[으로/로] 가져다주기로 합니다.",
                f"{d}[은/는] 차에서 {item}[을/를] 발견하고, {p}[은/는] 요금을 내고 {goal}에서 돌려받기로 합니다.",
                f"{item}[을/를] 놓고 내린 {p}[은/는] 기사에게 전화해 {goal}에서 {far}분 뒤 돌려받기로 합니다.",
            )
        else:
            s.say(
                d,
                f"찾아봤는데 {item}[은/는] 없네요. 뒤에 손님이 세 분 더 탔거든요.",
                f"자리 밑까지 봤는데 {item}[은/는] 안 보입니다.",
            )
            s.say(
                p,
                "그래요? 혹시 나오면 #PhoneNumber#[으로/로] 연락해 주세요.",
                "알겠습니다. 나중에라도 나오면 #PhoneNumber#[으로/로] 전화 부탁드려요.",
            )
            s.say(d, "네, 세차할 때 한 번 더 찾아보겠습니다.", "그럴게요. 분실물 센터에도 신고해 보세요.")
            s.summarize(
                f"{p}[은/는] 택시에 {item}[을/를] 두고 내린 것 같아 전화하지만 {d}[은/는] 찾지 못합니다. {p}[은/는] 연락처를 남깁니다.",
                f"{d}[은/는] 차 안에 {item}[이/가] 없다고 하고, {p}[은/는] 나오면 연락해 달라고 부탁합니다.",
                f"{goal}에서 내린 {p}[은/는] 잃어버린 {item}[을/를] 기사에게 물어보지만 찾지 못하고 전화번호를 알려 줍니다.",
            )


# vehicle | from | to | lowest fare | highest fare | a name for one service
TRIPS = rows("""
KTX|서울|부산|42000|59800|열차
KTX|서울|강릉|22000|27600|열차
KTX|용산|여수|37000|47200|열차
KTX|용산|전주|28000|34400|열차
KTX|대전|경주|18000|24000|열차
무궁화호|대전|대구|9000|13000|열차
무궁화호|부산|순천|11000|16000|열차
새마을호|수원|익산|15000|20000|열차
ITX|청량리|춘천|8000|11000|열차
고속버스|서울|속초|17000|26000|버스
고속버스|광주|대전|12000|19000|버스
시외버스|인천|춘천|13000|18000|버스
비행기|김포|제주|38000|98000|비행기
비행기|청주|제주|35000|82000|비행기
비행기|김포|여수|42000|89000|비행기
비행기|인천|오사카|130000|310000|비행기
비행기|인천|방콕|240000|520000|비행기
비행기|부산|도쿄|150000|330000|비행기
비행기|대구|타이베이|170000|340000|비행기
배|목포|제주|32000|48000|배
배|강릉|울릉도|54000|64000|배
""")


def ticket_desk(s: Scene) -> None:
    """Tickets by train, bus, plane or ship: booked, sold out, put off, moved, refunded or upgraded."""
    c, t = s.speaker(GIVEN), s.speaker(GIVEN)
    ride, src, dst, low, high, one = s.rng.choice(TRIPS)
    day = s.pick(
        "내일",
        "모레",
        "이번 주말",
        "다음 주 금요일",
        "이번 토요일",
        "다음 주 월요일",
        "일요일",
        "추석 전날",
        "연휴 첫날",
        f"{s.rng.randint(1, 12)}월 {s.rng.randint(1, 28)}일",
    )
    if day == "이번 주말":
        day = "이번 일요일"
    early, late = clock(s.rng, 6, 12), clock(s.rng, 14, 21)
    seats = s.rng.randint(1, 5)
    n = f"{['한', '두', '세', '네', '다섯'][seats - 1]} 장"
    price = int(low) + s.rng.randrange(0, (int(high) - int(low)) // 100 + 1) * 100
    fare, total = f"{price:,}원", f"{price * seats:,}원"
    fee = won(s.rng, 10000, 35000, 1000) if ride == "비행기" else won(s.rng, 1000, 6000, 100)
    trip = f"{src}에서 {dst} 가는 {ride}"
    kind = s.pick("book", "book", "soldout", "giveup", "change", "nochange", "refund", "missed")
    s.topic = s.pick(
        f"{ride} 표 {'예매' if kind in ('book', 'soldout', 'giveup') else '취소' if kind == 'refund' else '문의' if kind == 'missed' else '변경'}",
        f"{dst} 가는 표",
        "표 상담",
    )
    if s.chance(0.35):
        s.say(
            t,
            "안녕하세요. 무엇을 도와드릴까요?",
            "다음 손님, 이쪽으로 오세요.",
            "네, 예약 센터입니다. 말씀하세요.",
        )
    if kind in ("book", "soldout", "giveup"):
        s.say(
            c,
            f"{day} {trip} 표 {n} 주세요.",
            f"{dst}[으로/로] {day} 가려고 하는데요, {src}에서 출발하는 {ride} 표 {n} 있나요?",
            f"{src}에서 {dst} 가는 표를 {n} 사고 싶어요. {day} {ride}[으로/로]요.",
        )
        s.say(t, "몇 시쯤 출발하는 게 좋으세요?", "원하시는 시간대가 있으신가요?")
        s.say(c, f"{early}쯤이면 좋겠어요.", f"{early}에 출발하는 게 있을까요?", f"가능하면 {early}요.")
    who = s.speaker(GIVEN) if kind in ("book", "soldout") and seats > 1 and s.chance(0.35) else None
    if kind == "book":
        s.say(
            t,
            f"네, {early} {one}에 자리가 있습니다. 한 장에 {fare}입니다.",
            f"{early} 출발 가능하고 요금은 한 사람에 {fare}이에요.",
        )
        if who:
            s.say(
                who,
                s.level("우리 붙어 앉을 수 있을까요?", "우리 붙어 앉을 수 있나?"),
                s.level("나란히 앉을 수 있는지 물어봐 주세요.", "나란히 앉을 수 있는지 물어봐."),
            )
            s.say(c, "들으셨죠? 자리를 붙여서 주실 수 있어요?", "나란히 붙은 자리로 될까요?")
            s.say(t, "네, 붙어 있는 자리로 잡아 드릴게요.", "마침 나란히 빈 자리가 있습니다.")
        elif s.chance(0.5):
            seat = s.pick("창가", "통로 쪽", "앞쪽", "짐 놓기 편한 뒤쪽")
            s.say(c, f"{seat} 자리로 부탁드려요.", f"{seat} 자리도 있나요?")
            s.say(t, f"네, {seat} 자리로 해 드리겠습니다.", f"{seat}[으로/로] 잡아 드릴게요.")
        else:
            s.say(c, "네, 그걸로 할게요.", "딱 좋네요. 그걸로 주세요.", "시간이 맞네요. 그렇게 해 주세요.")
        if s.chance(0.4):
            s.say(t, "돌아오는 표도 같이 끊어 드릴까요?", "왕복으로 하시겠어요?")
            s.say(
                c,
                "아니요, 오는 건 아직 몰라서 가는 것만 할게요.",
                "편도로만 주세요. 올 때는 차를 얻어 탈 거예요."
                if one != "배" and ride != "비행기"
                else "편도만 할게요. 돌아오는 날이 안 정해졌어요.",
            )
        s.say(t, f"모두 {total}입니다. 결제는 어떻게 하시겠어요?", f"{total} 되겠습니다. 결제 도와드릴게요.")
        s.say(
            c,
            "카드로 할게요. 번호는 #CardNumber#예요."
            if s.turns[0][1].startswith("네, 예약")
            else "여기 카드요.",
            "카드로 계산해 주세요.",
        )
        if s.chance(0.5):
            s.say(t, "예매됐습니다. 표는 문자로 보내 드렸어요.", "네, 예매가 끝났습니다. 즐거운 여행 되세요.")
        s.summarize(
            f"{c}[은/는] {day} {early}에 {trip} 표 {n}을 예매하고 {total}을 냅니다.",
            f"{t}[은/는] {day} {early} {one}에 자리가 있다고 안내하고, {c}[은/는] {dst} 가는 표 {n}을 {total}에 삽니다.",
            f"{dst}에 가려는 {c}[은/는] {early} 출발하는 {ride} 표를 {n} 구입합니다. 요금은 모두 {total}입니다.",
        )
    elif kind == "soldout":
        s.say(
            t,
            f"{early} {one}[은/는] 매진이고 {late}[은/는] 남아 있습니다.",
            f"죄송하지만 {early} 표는 다 나갔어요. {late} 출발은 어떠세요?",
        )
        if who:
            s.say(c, s.level(f"{late}밖에 없다는데 괜찮아요?", f"{late}밖에 없다는데 괜찮아?"))
            s.say(
                who,
                s.level("저는 괜찮아요. 천천히 가죠, 뭐.", "난 괜찮아. 천천히 가지, 뭐."),
                s.level("할 수 없죠. 그걸로 해요.", "할 수 없지. 그걸로 하자."),
            )
        elif s.chance(0.5):
            s.say(c, "더 이른 건 정말 없나요?", "그 사이에는 하나도 없어요?")
            s.say(t, f"네, {day}[은/는] 이용객이 많아서 그것뿐입니다.", "네, 지금은 그 시간만 남았습니다.")
        s.say(c, f"그럼 {late} 표로 {n} 주세요.", f"할 수 없네요. {late}[으로/로] 할게요.")
        s.say(t, f"{n}에 {total}입니다.", f"네, {total} 결제하겠습니다.")
        s.summarize(
            f"{c}[이/가] 원하던 {day} {early} 표가 매진되어 {late}에 출발하는 {dst}행 표 {n}을 {total}에 삽니다.",
            f"{t}[은/는] {early} {one}에 자리가 없다며 {late} 출발을 권하고, {c}[은/는] {n}을 예매합니다.",
            f"{day} {trip} 표를 찾던 {c}[은/는] {early} 대신 {late}에 떠나기로 하고 {total}을 냅니다.",
        )
    elif kind == "giveup":
        s.say(
            t,
            f"{day}[은/는] 하루 종일 매진입니다.",
            f"죄송합니다. {day} {dst} 가는 {one}[은/는] 자리가 하나도 없습니다.",
        )
        s.say(c, "취소되는 표를 기다릴 수는 없나요?", "대기라도 걸 수 있을까요?")
        if s.chance(0.5):
            s.say(
                t,
                "예약 대기를 걸어 드릴게요. 자리가 나면 연락드릴 번호를 말씀해 주세요.",
                "네, 대기 등록이 됩니다. 연락처를 알려 주세요.",
            )
            s.say(c, "#PhoneNumber#입니다. 꼭 좀 부탁드려요.", "제 번호는 #PhoneNumber#예요.")
            s.say(
                t,
                f"등록했습니다. {late}까지 연락이 없으면 자리가 안 난 거예요.",
                f"네, 자리가 나면 오늘 {late}까지 문자가 갑니다.",
            )
            s.summarize(
                f"{day} {trip} 표가 매진되어 {c}[은/는] {n}을 예약 대기하고 전화번호를 남깁니다.",
                f"{t}[은/는] {dst} 가는 표가 모두 나갔다며 대기 등록을 해 주고, 자리가 나면 {late}까지 연락한다고 합니다.",
                f"{c}[은/는] {day} {dst}에 갈 {ride} 표를 구하지 못해 연락처를 남기고 {late}까지 연락을 기다리기로 합니다.",
            )
        else:
            how = (
                s.pick("차를 빌려서", "친구 차를 얻어 타고", "카풀을 구해서", "새벽에 직접 운전해서")
                if ride not in ("비행기", "배")
                else ""
            )
            s.say(t, "대기도 이미 마감됐습니다. 죄송합니다.", "대기 인원도 다 차서 어렵겠습니다.")
            s.say(
                c,
                f"그럼 {how} 가야겠네요." if how else "그럼 이번 여행은 미뤄야겠네요.",
                f"어쩔 수 없네요. {how} 가는 수밖에요." if how else "아쉽지만 다음에 가야겠어요.",
            )
            did = f"{how} 가기로 합니다" if how else "여행을 미루기로 합니다"
            s.summarize(
                f"{c}[은/는] {day} {dst} 가는 {ride} 표를 사려 하지만 매진이고 대기도 할 수 없어 {did}.",
                f"{t}[이/가] {day} 표와 예약 대기가 모두 마감됐다고 하자 {c}[은/는] {did}.",
                f"{src}에서 {dst}까지 가는 {ride} 표를 {n} 구하지 못한 {c}[은/는] {did}.",
            )
    elif kind in ("change", "nochange"):
        why = s.pick(
            "회의가 길어져서",
            "아이가 아파서",
            "일이 늦게 끝나서",
            "결혼식 시간이 바뀌어서",
            "몸이 안 좋아서",
            "시험 날짜가 바뀌어서",
            "짐을 못 싸서",
        )
        s.say(
            c,
            f"{day} {early}에 {trip} 표를 샀는데 시간을 바꿀 수 있을까요? {why}요.",
            f"표를 변경하고 싶어요. {day} {early} {dst}행인데 {why} 못 타게 됐어요.",
        )
        s.say(t, "예약하신 분 성함이 어떻게 되세요?", "예약 번호나 성함을 말씀해 주세요.")
        s.say(c, "#PersonName#이고 전화번호는 #PhoneNumber#예요.", "#PersonName#입니다.")
        s.say(t, "네, 확인됐습니다. 언제로 바꿔 드릴까요?", "조회됐습니다. 몇 시로 원하세요?")
        s.say(c, f"같은 날 {late}[으로/로] 해 주세요.", f"{late} {one}[으로/로] 옮길 수 있나요?")
        s.say(
            t,
            f"가능합니다. 변경 수수료가 {fee} 있습니다.",
            f"{late}에 자리가 있네요. 다만 수수료 {fee}을 내셔야 해요.",
        )
        if kind == "change":
            s.say(c, "네, 그렇게 바꿔 주세요.", f"{fee}이면 괜찮아요. 변경해 주세요.")
            s.say(t, f"{late} 표로 변경되었습니다.", "바꿔 드렸습니다. 새 표를 문자로 보냈어요.")
            s.summarize(
                f"{c}[은/는] {why} {day} {early} {dst}행 표를 {late}[으로/로] 바꾸고 수수료 {fee}을 냅니다.",
                f"{t}[은/는] {c}의 {ride} 표를 {early}에서 {late}[으로/로] 변경해 주고 수수료 {fee}을 받습니다.",
                f"{day} {dst}에 가는 {c}[은/는] 수수료 {fee}을 내고 출발 시간을 {late}[으로/로] 미룹니다.",
            )
        else:
            s.say(
                c,
                "수수료가 있는 줄 몰랐네요. 그럼 그냥 원래 시간에 탈게요.",
                f"{fee}이나요? 어떻게든 시간을 맞춰 볼게요. 그대로 두세요.",
            )
            s.say(t, f"네, 그럼 {early} 그대로 유지하겠습니다.", f"알겠습니다. {early} 표는 그대로 있습니다.")
            s.summarize(
                f"{c}[은/는] {dst}행 표를 {late}[으로/로] 바꾸려다 수수료 {fee} 때문에 {early} 표를 그대로 쓰기로 합니다.",
                f"{t}[이/가] 변경 수수료가 {fee}이라고 하자 {c}[은/는] {day} {early}에 원래대로 출발하기로 합니다.",
                f"{why} {ride} 시간을 바꾸려던 {c}[은/는] 수수료 {fee}이 든다는 말에 변경을 포기합니다.",
            )
    elif kind == "refund":
        why = s.pick(
            "여행을 못 가게 되어서",
            "출장이 취소돼서",
            "급한 일이 생겨서",
            "태풍이 온다고 해서",
            "같이 갈 친구가 다쳐서",
            "다른 교통편을 구해서",
        )
        back = f"{max(price * seats - int(fee[:-1].replace(',', '')), 1000):,}원"
        s.say(
            c,
            f"{why} {day} {trip} 표 {n}을 취소하려고요.",
            f"{day} 타기로 한 {dst}행 {ride} 표 {n}을 환불받고 싶어요. {why}요.",
        )
        s.say(
            t,
            f"지금 취소하시면 수수료 {fee}을 빼고 {back} 돌려드립니다.",
            f"취소 수수료가 {fee}이라 환불 금액은 {back}입니다.",
        )
        if s.chance(0.65):
            s.say(c, "네, 그렇게 해 주세요.", "아깝지만 취소해 주세요.")
            s.say(t, "취소했습니다. 환불은 사흘 안에 됩니다.", "처리됐습니다. 결제하신 카드로 들어갈 거예요.")
            s.summarize(
                f"{c}[은/는] {why} {day} {dst}행 {ride} 표 {n}을 취소하고 {back}을 돌려받습니다.",
                f"{t}[은/는] 수수료 {fee}을 뺀 {back}을 환불해 준다고 하고 {c}의 표를 취소합니다.",
                f"{dst}에 못 가게 된 {c}[은/는] 표 {n}을 취소합니다. 수수료는 {fee}이고 환불 금액은 {back}입니다.",
            )
        else:
            s.say(
                c,
                f"수수료가 {fee}이나 하나요? 그럼 동생한테 표를 줘도 되나요?",
                "그냥 친구가 대신 타도 될까요?",
            )
            ok = ride not in ("비행기", "배")
            s.say(
                t, "네, 표만 전달하시면 됩니다." if ok else f"아니요, {ride} 표는 다른 분이 쓰실 수 없습니다."
            )
            s.say(
                c,
                "그럼 취소하지 않고 넘겨줄게요." if ok else "그렇군요. 그럼 좀 더 생각해 볼게요.",
                "잘됐네요. 취소는 안 할게요." if ok else "그럼 내일까지 고민해 보고 다시 올게요.",
            )
            did = (
                "취소하지 않고 표를 다른 사람에게 주기로 합니다" if ok else "취소할지 더 생각해 보기로 합니다"
            )
            s.summarize(
                f"{c}[은/는] {dst}행 표 {n}을 취소하려다 수수료 {fee} 때문에 {did}.",
                f"{t}[이/가] 환불 금액이 {back}이라고 알려 주자 {c}[은/는] {did}.",
                f"{day} {ride}[을/를] 못 타게 된 {c}[은/는] 수수료가 {fee}[이라는/라는] 말을 듣고 {did}.",
            )
    else:
        late2 = clock(s.rng, 13, 14) if one in ("열차", "버스") else clock(s.rng, 15, 21)
        s.say(
            c,
            f"방금 {early} {dst}행 {one}[을/를] 놓쳤는데 어떻게 해야 하나요?",
            f"길이 막혀서 {early}에 {dst} 가는 {one}[을/를] 못 탔어요. 이 표는 못 쓰나요?",
        )
        s.say(
            t,
            f"출발한 뒤에는 {fee}을 공제하고 환불됩니다. 다음 편은 {late2}에 있습니다.",
            f"그 표는 수수료 {fee}을 빼고 돌려드려요. 다음은 {late2}입니다.",
        )
        s.say(c, f"{late2}에는 자리가 있어요?", f"그럼 {late2} 걸로 다시 살 수 있나요?")
        if s.chance(0.5):
            s.say(t, f"네, {fare}에 한 자리 남았습니다.", f"마지막 한 자리가 있네요. {fare}입니다.")
            s.say(c, "다행이네요. 그걸로 주세요.", "휴, 바로 결제할게요.")
            s.summarize(
                f"{early} {dst}행 {one}[을/를] 놓친 {c}[은/는] 수수료 {fee}을 빼고 환불받고 {late2} 표를 {fare}에 삽니다.",
                f"{t}[은/는] {one}[을/를] 놓친 {c}에게 {late2}에 마지막 한 자리가 남았다고 알리고, {c}[은/는] {fare}짜리 표를 삽니다.",
                f"{c}[은/는] {dst} 가는 {one}[을/를] 못 타서 {late2} 표를 새로 {fare}에 구입합니다.",
            )
        else:
            s.say(
                t,
                "그 시간은 매진입니다. 빈자리가 나면 바로 알려 드릴까요?",
                f"아쉽게도 다 찼네요. {day} 첫차는 있습니다."
                if one in ("열차", "버스") and day in ("내일", "모레")
                else "아쉽게도 다 찼네요.",
            )
            s.say(
                c,
                "아니에요, 환불만 받고 다른 방법을 찾아볼게요.",
                "그럼 표는 환불해 주세요. 오늘은 못 가겠네요.",
            )
            s.say(t, "네, 환불해 드렸습니다.", "알겠습니다. 바로 처리해 드릴게요.")
            s.summarize(
                f"{c}[은/는] {early} {dst}행 {one}[을/를] 놓치고 {late2} 표도 없어 수수료 {fee}을 빼고 환불받습니다.",
                f"{t}[은/는] {late2} {one}도 매진이라고 알리고, {one}[을/를] 놓친 {c}의 표를 환불해 줍니다.",
                f"{dst} 가는 {one}[을/를] 타지 못한 {c}[은/는] 다음 편도 자리가 없어 표를 환불받기로 합니다. 수수료는 {fee}입니다.",
            )


SITUATIONS = [clinic_visit, pharmacy, asking_way, taxi_ride, ticket_desk]
