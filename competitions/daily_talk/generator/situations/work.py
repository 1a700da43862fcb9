"""Situations of the office: an interview, days off, a meeting that moves, a late report."""

from random import Random

from competitions.daily_talk.generator.engine import Scene, Speaker
from competitions.daily_talk.generator.words import (
    FAMILY,
    FULL_NAMES,
    GIVEN,
    PLACES,
    WEEKDAYS,
    clock,
    month_day,
)


def items(text: str) -> list[str]:
    """The comma-separated items of a pool."""
    return text.split(",")


JOBS = [  # the post, where the applicant worked, what they did there, a post close to it
    ("카페 매니저", "프랜차이즈 카페", "매장 운영", "매장 교육 담당"),
    ("웹 디자이너", "광고 회사", "배너 디자인", "앱 화면 디자이너"),
    ("회계 담당", "세무사 사무실", "결산 업무", "급여 담당"),
    ("영어 강사", "어학원", "중학생 수업", "학습 상담 담당"),
    ("물류 관리", "택배 회사", "재고 정리", "배송 관리"),
    ("호텔 프런트", "바닷가 리조트", "예약 관리", "연회장 관리"),
    ("마케팅 담당", "화장품 회사", "SNS 홍보", "전시 기획"),
    ("고객 상담", "통신사 콜센터", "불만 전화 응대", "온라인 채팅 상담"),
    ("간호조무사", "정형외과", "접수와 수납", "건강 검진 안내"),
    ("번역 담당", "출판사", "계약서 번역", "원고 교정"),
    ("서점 직원", "동네 도서관", "도서 분류", "온라인 서점 관리"),
    ("앱 개발자", "게임 회사", "결제 기능 개발", "앱 품질 검사"),
    ("영업 관리", "식품 회사", "거래처 관리", "구매 관리"),
    ("박물관 안내", "역사 전시관", "단체 관람 안내", "체험 교실 보조"),
]
MOTIVES = [
    "집에서 가까워 오래 다닐 수 있을 것 같아서",
    "더 큰 조직에서 배우고 싶어서",
    "전 직장이 지방으로 옮겨 가서",
    "학교 선배가 이곳을 추천해 줘서",
    "분위기가 자유롭다고 들어서",
    "직원 교육이 잘 되어 있다고 들어서",
    "채용 설명회에서 좋은 인상을 받아서",
    "전공을 제대로 살리고 싶어서",
    "신문 기사를 보고 관심이 생겨서",
    "계약 기간이 끝나 안정적인 자리를 찾고 있어서",
    "더 책임 있는 일을 맡고 싶어서",
    "가족과 함께 이 동네로 이사 와서",
]
STRENGTHS = [
    "맡은 일은 끝까지 해내는",
    "시간 약속을 잘 지키는",
    "급한 상황에서도 침착한",
    "새로운 일을 빨리 배우는",
    "다른 사람의 말을 잘 들어 주는",
    "낯선 사람과도 금방 친해지는",
    "작은 것도 꼼꼼히 메모하는",
    "실수를 인정하고 바로 고치는",
    "힘든 일도 웃으면서 하는",
    "미리 계획을 세우고 움직이는",
    "분위기를 밝게 만드는",
    "같은 실수를 두 번 하지 않는",
]
LEAVES = [  # why, whether the date can move, whether it takes several days
    ("동생이 결혼해서", False, False),
    ("할머니 팔순 잔치가 있어서", False, False),
    ("아이 운동회가 있어서", False, False),
    ("자격증 시험이 있어서", False, False),
    ("부모님을 병원에 모시고 가야 해서", False, False),
    ("건강 검진을 받아야 해서", True, False),
    ("욕실 수리를 해야 해서", True, False),
    ("비자를 갱신해야 해서", True, False),
    ("사랑니를 빼야 해서", True, False),
    ("이삿짐을 옮겨야 해서", True, False),
    ("가족 여행을 가기로 해서", True, True),
    ("고향에 다녀와야 해서", True, True),
    ("친구들과 등산 여행을 가기로 해서", True, True),
    ("외국에 사는 동생을 만나러 가고 싶어서", True, True),
    ("무릎 수술을 받아야 해서", False, True),
    ("신혼여행을 가게 돼서", False, True),
]
SPANS = {2: "이틀", 3: "사흘", 4: "나흘", 5: "닷새"}
BUSY = items(
    "분기 감사,신제품 발표회,거래처 방문,재고 조사,예산 심사,박람회 준비,월말 결산,사장님 보고,시스템 점검,신입 사원 교육,입찰 준비,본사 점검"
)
DUTIES = items(
    "거래처 메일,주간 보고,견적서 발송,고객 문의 답변,창고 점검,계약서 검토,회의록 정리,홈페이지 공지,납품 확인,송장 정리,전화 응대,교육 자료 인쇄"
)
OFFICE_MEETINGS = items(
    "주간 회의,예산 회의,신제품 회의,디자인 회의,영업 회의,팀장 회의,채용 회의,홍보 회의,안전 점검 회의,워크숍 준비 회의,고객 만족 회의,하반기 계획 회의"
)
CLUB_MEETINGS = items(
    "동아리 회의,축제 준비 모임,독서 모임,영어 스터디,졸업 여행 회의,봉사단 회의,밴드 연습 회의,학생회 회의,면접 스터디,사진전 준비 모임,동창회 준비 모임,등산 모임 회의"
)
OFFICE_ROOMS = items(
    "2층 회의실,3층 소회의실,대회의실,본관 세미나실,5층 교육실,별관 회의실,옥상 휴게실,1층 카페,지하 강당,4층 휴게실,구내식당 옆방,6층 접견실,신관 회의실"
)
CLUB_ROOMS = items(
    "동아리방,학생회관 2층,중앙도서관 세미나실,정문 앞 스터디 카페,공대 휴게실,학교 앞 빵집,인문관 204호,도서관 1층 라운지,체육관 회의실,기숙사 공동 주방,후문 찻집,미술관 세미나실,음악실"
)
OFFICE_WHY = [
    "갑자기 출장이 생겨서",
    "손님이 오기로 해서",
    "아이를 데리러 가야 해서",
    "교육을 들어야 해서",
]
CLUB_WHY = ["알바 시간이 바뀌어서", "보충 수업이 생겨서", "동생을 데리러 가야 해서", "교수님 면담이 잡혀서"]
TIME_WHY = [
    "병원 예약이 잡혀서",
    "다른 일정과 겹쳐서",
    "기차 시간이 바뀌어서",
    "은행에 다녀와야 해서",
    "치과 치료가 있어서",
    "부모님이 올라오셔서",
    "여권을 찾으러 가야 해서",
    "이사할 집을 보러 가야 해서",
    "어머니 심부름이 있어서",
]
PLACE_WHY = [
    "예약이 겹쳐서",
    "에어컨이 고장 나서",
    "프로젝터가 켜지지 않아서",
    "옆에서 공사를 시작해서",
    "참석자가 늘어 자리가 모자라서",
    "천장에서 물이 새서",
    "인터넷이 자꾸 끊겨서",
    "페인트칠을 해서",
    "그날 다른 행사가 열려서",
    "난방이 안 돼서",
    "그날 문을 닫는다고 해서",
    "의자를 모두 옮겨 놓아서",
]
REPORTS = items(
    "분기 매출 보고서,시장 조사 보고서,출장 보고서,고객 설문 보고서,안전 점검 보고서,행사 결과 보고서,신제품 기획서,교육 평가 보고서,예산 사용 보고서,환경 조사 보고서,경쟁사 분석 보고서,연구 중간 보고서,사업 계획서"
)
PARTS = items(
    "그래프 만들기,영어 요약 쓰기,설문 결과 정리,표 서식 맞추기,사례 찾기,예산 계산,사진 고르기,맞춤법 확인,결론 쓰기,통계 분석,목차 정리,참고 자료 찾기,인용문 확인"
)
TREATS = items("커피,점심,떡볶이,아이스크림,샌드위치,치킨,냉면,저녁,케이크,팥빙수,김밥,초밥")


def called(s: Scene, who: Speaker) -> str:
    """The speaker's name as a form of address, at the scene's speech level."""
    return s.level(f"{who.name} 씨", f"{who.name}[아/야]")


def two_dates(rng: Random) -> tuple[str, str]:
    """Two dates of one month, the earlier one first."""
    month, day = rng.randint(1, 12), rng.randint(1, 14)
    return f"{month}월 {day}일", f"{month}월 {day + rng.randint(3, 14)}일"


def job_interview(s: Scene) -> None:
    """One or two interviewers talk with an applicant; the end is open."""
    boss, me = s.speaker(FULL_NAMES), s.speaker(FULL_NAMES)
    second = s.speaker(FULL_NAMES) if s.chance(0.4) else None
    post, former, duty, near = s.rng.choice(JOBS)
    motive, strong = s.rng.choice(MOTIVES), s.rng.choice(STRENGTHS)
    ending = s.pick("hired", "wait", "again", "reject", "decline", "near")
    junior = ending == "reject" or s.chance(0.3)
    span = f"{s.rng.randint(2, 6)}개월" if junior else f"{s.rng.randint(2, 9)}년"
    s.topic = s.pick("면접", "입사 면접", f"{post} 면접")
    if s.chance(0.6):
        name = me.name
        s.say(
            boss,
            f"어서 오세요. {post} 자리에 지원하신 {name} 씨 맞으시죠?",
            f"{name} 씨, 반갑습니다. {post} 자리에 지원하셨네요. 편하게 앉으세요.",
            f"다음 분 들어오세요. {name} 씨, {post} 지원자시군요.",
        )
    else:
        name = str(me)
        s.say(
            boss,
            f"안녕하세요. {post} 자리에 지원하신 분이죠? 이쪽에 앉으세요.",
            f"오래 기다리셨죠? {post} 면접을 시작하겠습니다.",
            f"들어오세요. 오늘은 {post} 지원자분들을 뵙고 있습니다.",
        )
    s.say(
        me,
        "네, 안녕하십니까. 잘 부탁드립니다.",
        "네, 면접 기회를 주셔서 감사합니다.",
        "안녕하세요. 뵙게 되어 반갑습니다.",
        "네, 조금 떨리지만 잘 부탁드립니다.",
    )
    if s.chance(0.35):
        s.say(boss, "오시는 길은 힘들지 않으셨어요?", "여기까지 찾아오기 어렵지 않으셨나요?")
        s.say(
            me,
            f"{s.pick(*PLACES)}에서 버스를 탔는데 금방 왔습니다.",
            f"지하철로 {s.rng.choice([15, 20, 25, 30])}분밖에 안 걸렸습니다.",
            "미리 길을 찾아봐서 괜찮았습니다.",
        )

    def ask(*wordings: str) -> None:
        if second and s.chance(0.5):
            first_time = all(who != second for who, _ in s.turns)
            start = s.pick("저도 하나 여쭤볼게요. ", "이번에는 제가 묻겠습니다. ") if first_time else ""
            s.say(second, *(start + w for w in wordings))
        else:
            s.say(boss, *wordings)

    def career() -> None:
        ask(
            "관련된 일을 해 보신 적이 있나요?",
            "지금까지 어떤 일을 하셨는지 말씀해 주세요.",
            f"이력서에 {former}[이/가] 적혀 있네요. 거기서 무슨 일을 하셨죠?",
        )
        if junior:
            s.say(
                me,
                f"{former}에서 {span} 동안 인턴을 하면서 {duty}[을/를] 도왔습니다.",
                f"정식 경력은 없지만 {former}에서 {span} 동안 인턴으로 있으면서 {duty}[을/를] 익혔습니다.",
            )
        else:
            s.say(
                me,
                f"{former}에서 {span} 동안 {duty}[을/를] 맡았습니다.",
                f"{former}에 {span} 다녔고 주로 {duty} 쪽을 담당했습니다.",
            )

    def why() -> None:
        ask(
            "저희 쪽에 지원하신 이유는 뭔가요?",
            "많은 곳 중에 왜 여기를 고르셨어요?",
            "지원 동기를 들려주세요.",
        )
        s.say(me, f"{motive} 지원하게 됐습니다.", f"솔직히 말씀드리면 {motive} 지원했습니다.")

    def strength() -> None:
        ask(
            "본인의 장점을 하나만 말씀해 주시겠어요?",
            "주변에서는 어떤 사람이라고 하나요?",
            "자신을 한마디로 소개한다면요?",
        )
        s.say(me, f"저는 {strong} 편입니다.", f"{strong} 사람이라는 말을 자주 듣습니다.")

    def pay() -> None:
        amount = f"{s.rng.randrange(2800, 4700, 100):,}만 원"
        ask("생각하시는 연봉이 있으신가요?", "희망 연봉은 어느 정도인가요?")
        s.say(
            me,
            f"{amount} 정도면 좋겠습니다.",
            f"{amount}을 생각하고 있지만 조정할 수 있습니다.",
            f"솔직히 {amount} 정도는 받고 싶습니다.",
        )

    parts = [career, why, *(p for p in (strength, pay) if s.chance(0.5))]
    s.rng.shuffle(parts)
    for part in parts:
        part()
    panel = f"{boss}[과/와] {second}" if second and any(who == second for who, _ in s.turns) else str(boss)
    job = f"{former}에서 {span} 동안 인턴을 한" if junior else f"{former}에서 {span} 동안 일한"
    if ending == "hired":
        start = month_day(s.rng)
        s.say(
            boss,
            f"좋습니다. 저희와 같이 일해 봅시다. {start}부터 나오실 수 있나요?",
            f"더 볼 것도 없겠네요. 합격입니다. {start}부터 출근 가능하세요?",
        )
        s.say(
            me,
            f"정말요? 네, {start}부터 바로 출근하겠습니다. 감사합니다.",
            "네, 물론입니다. 열심히 하겠습니다!",
        )
        if s.chance(0.5):
            s.say(
                boss,
                f"첫날은 {clock(s.rng, 9, 10)}까지 인사팀으로 오시면 됩니다.",
                "필요한 서류는 이메일로 알려 드릴게요. 주소가 #Email# 맞으시죠?",
            )
            s.say(me, "네, 알겠습니다.", "네, 그렇게 하겠습니다.")
        s.summarize(
            f"{name}[은/는] {post} 면접에서 바로 합격하여 {start}부터 출근하기로 합니다.",
            f"{boss}[은/는] {job} {name}[을/를] {post} 자리에 뽑고 {start}부터 나와 달라고 합니다.",
            f"{post} 자리에 지원한 {name}[은/는] {former} 경험을 이야기하고, {start}부터 일하게 됩니다.",
        )
    elif ending == "wait":
        day, way = month_day(s.rng), s.pick("문자", "전화", "이메일")
        if s.chance(0.5):
            s.say(boss, "더 궁금한 점 있으세요?", "질문은 여기까지입니다. 저희에게 물어보실 것은 없나요?")
            s.say(me, "결과는 언제쯤 알 수 있을까요?", "혹시 발표가 언제인지 여쭤봐도 될까요?")
        s.say(
            boss,
            f"결과는 {day}까지 {way}[으로/로] 알려 드리겠습니다.",
            f"지원자가 많아서요. {day}까지 {way}[으로/로] 연락드릴게요.",
        )
        if way == "이메일":
            s.say(
                me,
                "네, 주소는 #Email#입니다. 기다리겠습니다.",
                "네, 이력서에 쓴 #Email# 주소로 부탁드립니다.",
            )
        else:
            s.say(
                me,
                "네, 제 번호는 #PhoneNumber#입니다. 기다리겠습니다.",
                "번호가 바뀌었는데 #PhoneNumber#로 부탁드립니다.",
                "네, 좋은 소식 기다리겠습니다.",
            )
        s.summarize(
            f"{post} 면접을 본 {name}[은/는] {day}까지 {way}[으로/로] 결과를 듣게 됩니다.",
            f"{name}[은/는] {motive} {post} 자리에 지원했다고 하고, {boss}[은/는] {day}까지 {way}[으로/로] 결과를 알려 주겠다고 합니다.",
            f"{panel}[은/는] {job} {name}의 면접을 보고, {day}까지 {way}[으로/로] 결과를 알려 주기로 합니다.",
        )
    elif ending == "again":
        day, at = month_day(s.rng), clock(s.rng, 9, 16)
        s.say(
            boss,
            f"오늘 이야기 잘 들었습니다. {day} {at}에 2차 면접을 보러 오실 수 있을까요?",
            f"1차는 통과하셨습니다. 2차 면접은 {day} {at}인데 괜찮으신가요?",
        )
        s.say(me, "네, 꼭 오겠습니다. 따로 준비할 것이 있을까요?", "네, 가능합니다. 무엇을 가져오면 될까요?")
        bring = s.pick("졸업 증명서", "경력 증명서", "포트폴리오", "자기소개 영상", "추천서", "신분증 사본")
        s.say(boss, f"{bring}[을/를] 가져오시면 됩니다.", f"{bring}만 준비해 주세요.")
        s.summarize(
            f"{name}[은/는] {post} 1차 면접을 마치고 {day} {at}에 2차 면접을 보기로 합니다.",
            f"{boss}[은/는] {name}에게 {bring}[을/를] 준비해 {day} {at}에 열리는 2차 면접에 오라고 합니다.",
            f"{job} {name}[은/는] {post} 자리의 다음 면접에 초대받습니다. {day} {at}까지 {bring}[을/를] 가져가야 합니다.",
        )
    elif ending == "reject":
        need = f"{s.rng.randint(2, 5)}년"
        s.say(
            boss,
            f"솔직하게 말씀드리면 이 자리는 경력이 {need} 이상 필요합니다. 이번에는 어렵겠네요.",
            f"아쉽지만 저희는 {need} 이상 일하신 분을 찾고 있어요. 이번에는 함께하기 힘들 것 같습니다.",
        )
        s.say(
            me,
            "네, 아쉽지만 경험을 더 쌓고 다시 오겠습니다.",
            "그렇군요. 말씀해 주셔서 감사합니다.",
            "이해합니다. 그래도 좋은 공부가 됐습니다.",
        )
        if s.chance(0.6):
            s.say(
                boss,
                "신입 채용이 있을 때 꼭 다시 지원해 주세요.",
                "태도는 아주 좋으시니 다음 기회에 또 뵙겠습니다.",
            )
        s.summarize(
            f"{name}[은/는] {post} 자리에 지원했지만 {need} 이상의 경력이 없어 뽑히지 못합니다.",
            f"{boss}[은/는] 경력이 {need} 이상 필요하다며 {span} 인턴 경험만 있는 {name}[을/를] 뽑지 않습니다.",
            f"{former}에서 인턴을 한 {name}[은/는] {post} 면접을 보지만, {boss}[은/는] {need} 경력이 필요하다고 거절합니다.",
        )
    elif ending == "decline":
        if s.chance(0.5):
            times = f"{s.rng.choice(['두', '세', '네'])} 번"
            terms, reason = (
                f"한 달에 {times} 주말 근무",
                s.pick(
                    "주말에는 아이를 돌봐야 해서",
                    "주말에는 대학원 수업이 있어서",
                    "주말마다 부모님 가게를 도와야 해서",
                ),
            )
            s.say(
                boss,
                f"마지막으로, {terms}[이/가] 있는데 괜찮으세요?",
                f"미리 말씀드리자면 {terms}[을/를] 하셔야 합니다.",
            )
        else:
            terms, reason = (
                f"{s.pick(*PLACES)} 지점 근무",
                s.pick("집에서 너무 멀어서", "이사할 형편이 안 돼서", "출퇴근에 세 시간이 걸려서"),
            )
            s.say(
                boss,
                f"그런데 이번에는 {terms}[이/가] 조건인데 가능하신가요?",
                f"합격하시면 {terms}[을/를] 하셔야 하는데 어떠세요?",
            )
        s.say(
            me,
            f"죄송하지만 {reason} 그 조건은 어렵겠습니다.",
            f"음, {reason} 힘들 것 같습니다. 이번 지원은 포기하겠습니다.",
        )
        s.say(
            boss,
            "아쉽네요. 솔직히 말씀해 주셔서 고맙습니다.",
            "알겠습니다. 다른 자리가 나면 연락드려도 될까요?",
            "그렇군요. 좋은 곳 찾으시길 바랍니다.",
        )
        s.summarize(
            f"{name}[은/는] {post} 면접에서 {terms} 조건을 듣고 {reason} 어렵다고 거절합니다.",
            f"{boss}[이/가] {terms}[을/를] 조건으로 내놓자 {name}[은/는] {reason} 받아들이지 않습니다.",
            f"{job} {name}[은/는] {post} 자리에 지원했지만 {terms} 때문에 마음을 접습니다.",
        )
    else:
        s.say(
            boss,
            f"사실 {post} 자리는 어제 다른 분으로 정해졌습니다. 혹시 {near} 쪽은 어떠세요?",
            f"말씀을 들어 보니 {post}보다 {near} 일이 더 맞을 것 같은데 생각해 보시겠어요?",
        )
        if s.chance(0.5):
            s.say(
                me,
                f"{near} 일도 관심이 있습니다. 맡겨 주시면 해 보겠습니다.",
                f"네, 좋습니다. {near}도 꼭 해 보고 싶었습니다.",
            )
            s.say(
                boss,
                "잘됐네요. 자세한 조건은 내일 알려 드리겠습니다.",
                "고맙습니다. 그럼 계약서를 준비해 둘게요.",
            )
            end = ("그 일을 해 보겠다고 합니다", "기꺼이 받아들입니다", "제안을 받아들입니다")
        else:
            day = s.pick("내일", "모레", *WEEKDAYS)
            s.say(
                me,
                f"생각하지 못한 일이라서요. {day}까지 고민해 봐도 될까요?",
                f"감사하지만 조금 생각해 보고 {day}까지 말씀드리겠습니다.",
            )
            s.say(boss, "네, 천천히 생각해 보세요.", "그럼요. 연락 기다리겠습니다.")
            end = (
                f"{day}까지 생각해 보겠다고 합니다",
                f"{day}까지 답을 미룹니다",
                f"{day}까지 고민할 시간을 얻습니다",
            )
        s.summarize(
            f"{boss}[은/는] {post} 자리 대신 {near} 일을 권하고 {name}[은/는] {end[0]}.",
            f"{name}[은/는] {post} 면접에서 {near} 자리를 제안받고 {end[1]}.",
            f"{job} {name}[은/는] {post} 말고 {near} 쪽은 어떠냐는 말을 듣고 {end[2]}.",
        )


def leave_request(s: Scene) -> None:
    """An employee asks the boss for days off; sometimes a colleague is asked to stand in."""
    me, boss, mate = s.speaker(GIVEN), s.speaker(GIVEN), s.speaker(GIVEN)
    why, movable, several = s.rng.choice(LEAVES)
    date, later = two_dates(s.rng)
    n = s.rng.randint(3, 5) if several else 1
    span = SPANS[n] if several else "하루"
    when = f"{date}부터 {span}" if several else f"{date}에 {span}"
    off = f"{date}부터 {span}" if several else f"{date} {span}"  # before a noun
    title, busy, duty = (
        s.pick("팀장님", "부장님", "과장님", "실장님", "점장님"),
        s.rng.choice(BUSY),
        s.rng.choice(DUTIES),
    )
    endings = ["fine", "stand-in", "stand-in"]
    endings += ["move", "refuse", "give up"] if movable else []
    endings += ["short"] if movable and several else [] if several else ["half"]
    ending = s.rng.choice(endings)
    s.topic = s.pick("휴가 신청", "연차 사용", "휴가 일정 조정")
    named = s.chance(0.6)
    name = me.name if named else str(me)
    if s.chance(0.4):
        s.say(
            me,
            f"{title}, 잠깐 시간 괜찮으세요?",
            f"{title}, 드릴 말씀이 있는데요.",
            f"저, {title}. 휴가 때문에 여쭤볼 게 있어요.",
        )
        s.say(
            boss,
            s.level("네, 무슨 일이에요?", "어, 무슨 일이야?"),
            s.level("네, 말해 보세요.", "그래, 말해 봐."),
        )
    if s.chance(0.5):
        s.say(
            me,
            f"{why} {when} 휴가를 내고 싶습니다.",
            f"제가 {why} {when} 쉬었으면 하는데요.",
            f"{when} 쉬어도 될까요? {why}요.",
        )
    else:
        s.say(me, f"{when} 휴가를 쓰고 싶은데 괜찮을까요?", f"혹시 {when} 쉴 수 있을까요?")
        s.say(
            boss,
            s.level("무슨 일 있어요?", "무슨 일 있어?"),
            s.level("이유를 물어봐도 될까요?", "왜, 어디 가?"),
        )
        s.say(me, f"네, {why}요.", f"아, {why}요. 미리 말씀드리려고 했습니다.")
    if named:
        s.say(
            boss,
            f"{name} 씨가 " + s.level("휴가를 내는 건 오랜만이네요.", "휴가 내는 건 오랜만이네."),
            f"{name} 씨, " + s.level("미리 얘기해 줘서 고마워요.", "미리 말해 줘서 고마워."),
        )
    if s.chance(0.3):
        s.say(
            boss,
            s.level("남은 연차가 며칠이죠?", "연차 며칠 남았지?"),
            s.level("연차는 아직 남아 있어요?", "연차는 남아 있어?"),
        )
        s.say(
            me,
            f"아직 {s.rng.randint(6, 14)}일 남았습니다.",
            f"올해는 거의 안 써서 {s.rng.randint(8, 14)}일 있어요.",
        )
    if s.turns[-1][0] == boss and ending not in ("fine", "stand-in"):
        s.say(boss, s.level("그런데 말이에요.", "근데 말이야."))
    if ending == "fine":
        s.say(
            boss,
            s.level("네, 그날은 괜찮아요. 다녀오세요.", "응, 괜찮아. 다녀와."),
            s.level("바쁜 때도 아니니 그렇게 하세요.", "바쁜 때도 아니니까 그렇게 해."),
        )
        if s.chance(0.5):
            s.say(me, "감사합니다. 신청서는 지금 올릴까요?", "신청서는 언제까지 내면 될까요?")
            s.say(
                boss,
                s.level("오늘 안에 올려 주면 바로 결재할게요.", "오늘 안에 올려. 바로 결재해 줄게."),
                s.level("퇴근 전까지만 올려 주세요.", "퇴근 전까지만 올려."),
            )
            s.say(me, "네, 바로 올리겠습니다.", "알겠습니다. 고맙습니다.")
        else:
            s.say(
                me,
                "감사합니다. 급한 일이 있으면 #PhoneNumber#로 연락 주세요.",
                "고맙습니다. 그 전에 일은 다 끝내 놓겠습니다.",
                "정말 감사합니다. 잘 다녀오겠습니다.",
            )
            s.say(
                boss,
                s.level("네, 그럼 그렇게 알고 있을게요.", "그래, 그렇게 알고 있을게."),
                s.level("그래요. 일 잘 보고 와요.", "그래, 일 잘 보고 와."),
            )
        s.summarize(
            f"{name}[은/는] {why} {off} 휴가를 내고 싶다고 하고 {boss}[은/는] 허락합니다.",
            f"{boss}[은/는] {name}[이/가] {when} 쉬는 것을 승인합니다. {name}[은/는] {why} 휴가가 필요합니다.",
            f"{why} 쉬려는 {name}[은/는] {boss}에게 말해 {off} 휴가를 얻습니다.",
        )
    elif ending == "stand-in":
        s.say(
            boss,
            s.level(
                f"다녀오는 건 좋은데 그동안 {duty}[은/는] 누가 하죠?",
                f"가는 건 좋은데 그동안 {duty}[은/는] 누가 해?",
            ),
            s.level(f"그럼 {duty}[은/는] 어떻게 할 생각이에요?", f"그럼 {duty}[은/는] 어떡하려고?"),
        )
        if s.chance(0.55):
            s.say(
                me,
                f"{mate.name} 씨에게 부탁해 보려고 합니다. {mate.name} 씨, 괜찮아요?",
                f"마침 옆에 있으니 물어볼게요. {mate.name} 씨, 저 대신 해 줄 수 있어요?",
            )
            s.say(
                mate,
                f"네, {duty}[은/는] 제가 할게요.",
                "그럼요. 저번에 저도 신세를 졌는걸요.",
                "할 수 있어요. 방법만 적어 주세요.",
            )
        else:
            s.say(
                me,
                f"{mate.name} 씨가 대신 해 주기로 했습니다.",
                f"{mate.name} 씨에게 벌써 부탁해 두었습니다.",
            )
        s.say(
            boss,
            s.level("그럼 됐네요. 편히 다녀오세요.", "그럼 됐네. 편하게 다녀와."),
            s.level("좋아요. 인수인계만 잘해 주세요.", "좋아. 인수인계만 잘해 둬."),
        )
        if s.chance(0.4):
            s.say(me, "네, 정리해서 메일로 보내 두겠습니다.", "감사합니다. 오늘 중으로 알려 주고 가겠습니다.")
        s.summarize(
            f"{name}[은/는] {why} {when} 쉬고, 그동안 {duty}[은/는] {mate.name}[이/가] 맡기로 합니다.",
            f"{boss}[은/는] {mate.name}[이/가] {duty}[을/를] 대신 해 준다는 말을 듣고 {name}의 {off} 휴가를 허락합니다.",
            f"{off} 휴가를 신청한 {name}[은/는] {duty}[을/를] {mate.name}에게 맡기고 {boss}의 허락을 받습니다.",
        )
    elif ending == "move":
        s.say(
            boss,
            s.level(
                f"그때는 {busy}[이/가] 있는데 {later}[으로/로] 미룰 수 있어요?",
                f"그때 {busy} 있잖아. {later}[으로/로] 미루면 안 돼?",
            ),
            s.level(
                f"하필 {busy}[과/와] 겹치네요. {later}[은/는] 어때요?",
                f"하필 {busy}[과/와] 겹치네. {later}[은/는] 어때?",
            ),
        )
        s.say(
            me,
            f"네, {later}[으로/로] 바꿔도 괜찮습니다.",
            f"아, 깜빡했네요. 그럼 {later}[으로/로] 하겠습니다.",
            "제가 한번 전화해 볼게요. 네, 바꿀 수 있다고 합니다.",
        )
        s.say(
            boss,
            s.level("이해해 줘서 고마워요.", "이해해 줘서 고마워."),
            s.level("그럼 그날은 마음 놓고 쉬세요.", "그럼 그때는 마음 놓고 쉬어."),
        )
        s.summarize(
            f"{name}[은/는] {why} {date} 휴가를 신청하지만 {busy} 때문에 {later}[으로/로] 미룹니다.",
            f"{boss}[은/는] {busy}[과/와] 겹친다며 {name}의 휴가를 {date}에서 {later}[으로/로] 옮기자고 하고, {name}[은/는] 동의합니다.",
            f"{date}에 쉬려던 {name}[은/는] {boss}의 부탁으로 휴가 날짜를 {later}[으로/로] 바꿉니다.",
        )
    elif ending == "refuse":
        s.say(
            boss,
            s.level(
                f"미안하지만 {busy} 때문에 그달에는 아무도 못 쉬어요.",
                f"미안한데 {busy} 때문에 그달엔 아무도 못 쉬어.",
            ),
            s.level(
                f"그건 곤란해요. {busy}[을/를] 앞두고 사람이 모자라거든요.",
                f"그건 곤란한데. {busy} 앞두고 사람이 모자라잖아.",
            ),
        )
        if s.chance(0.5):
            s.say(
                me, "하루라도 안 될까요?" if several else "오전만이라도 안 될까요?", "정말 방법이 없을까요?"
            )
            s.say(
                boss,
                s.level("이번에는 정말 어려워요. 미안해요.", "이번엔 진짜 어려워. 미안해."),
                s.level("다음 달에는 꼭 쉬게 해 줄게요.", "다음 달에는 꼭 쉬게 해 줄게."),
            )
        s.say(me, "네, 알겠습니다. 일정을 다시 잡아 보겠습니다.", "할 수 없죠. 다음에 다시 말씀드리겠습니다.")
        s.say(
            boss,
            s.level("이해해 줘서 고마워요.", "이해해 줘서 고마워."),
            s.level("다음에는 먼저 챙겨 줄게요.", "다음엔 먼저 챙겨 줄게."),
        )
        s.summarize(
            f"{name}[은/는] {why} {when} 쉬고 싶어 하지만 {boss}[은/는] {busy} 때문에 안 된다고 합니다.",
            f"{boss}[은/는] {busy}[을/를] 이유로 {name}의 {date} 휴가를 거절합니다.",
            f"{busy} 때문에 {name}[은/는] {when} 쉬려던 계획을 허락받지 못합니다.",
        )
    elif ending == "give up":
        s.say(
            boss,
            s.level(
                f"쉬어도 되지만, 그때 {busy}[이/가] 있는 건 알고 있죠?",
                f"쉬어도 되는데, 그때 {busy} 있는 건 알지?",
            ),
            s.level(
                f"나는 괜찮은데 {busy}[과/와] 겹치지 않아요?", f"나는 괜찮은데 {busy}[이랑/랑] 겹치지 않아?"
            ),
        )
        s.say(
            me,
            f"아, {busy}[이/가] 그때인 줄 몰랐습니다. 그럼 신청을 취소하겠습니다.",
            f"맞다, {busy}[을/를] 제가 잊고 있었네요. 이번에는 쉬지 않겠습니다.",
        )
        s.say(
            boss,
            s.level("괜찮겠어요? 무리하지는 마세요.", "괜찮겠어? 무리하지는 마."),
            s.level("고마워요. 끝나고 푹 쉬세요.", "고마워. 끝나고 푹 쉬어."),
        )
        s.say(me, "네, 끝나고 다시 신청하겠습니다.", "네, 그 일부터 끝내는 게 마음이 편해요.")
        s.summarize(
            f"{name}[은/는] {why} {off} 휴가를 내려다가 {busy}[과/와] 겹치는 것을 알고 스스로 취소합니다.",
            f"{boss}[이/가] {busy} 이야기를 꺼내자 {name}[은/는] {date} 휴가 신청을 거두어들입니다.",
            f"{busy}[이/가] 있다는 말을 들은 {name}[은/는] {when} 쉬려던 생각을 바꿉니다.",
        )
    elif ending == "short":
        less = SPANS[n - 1]
        s.say(
            boss,
            s.level(
                f"{span}[은/는] 너무 길어요. {busy}[이/가] 있으니 {less}만 쉬면 안 될까요?",
                f"{span}[은/는] 너무 길어. {busy}도 있는데 {less}만 쉬면 안 될까?",
            ),
            s.level(
                f"{busy} 때문에 {less}까지만 가능할 것 같은데요.", f"{busy} 때문에 {less}까지만 될 것 같은데."
            ),
        )
        s.say(me, f"그럼 {less}만 쉬고 오겠습니다.", f"네, {less}[이라/라]도 쉴 수 있으면 좋겠습니다.")
        s.say(
            boss,
            s.level("그래요, 그렇게 올려 주세요.", "그래, 그렇게 올려."),
            s.level("대신 다음에는 길게 쓰게 해 줄게요.", "대신 다음에는 길게 쓰게 해 줄게."),
        )
        s.summarize(
            f"{name}[은/는] {why} {when} 쉬려 했지만 {busy} 때문에 {less}만 쉬기로 합니다.",
            f"{boss}[은/는] {busy}[을/를] 이유로 {name}의 휴가를 {span}에서 {less}[으로/로] 줄입니다.",
            f"{date}부터 휴가를 가려던 {name}[은/는] {boss}[과/와] 상의한 끝에 {span} 대신 {less}[을/를] 쉬게 됩니다.",
        )
    else:
        part, back = s.rng.choice([("오전 반차", "점심 먹고"), ("오후 반차", "오전에만")])
        s.say(
            boss,
            s.level(
                f"그날 {busy}[이/가] 있어서 하루를 다 비우기는 힘들어요. {part}[은/는] 어때요?",
                f"그날 {busy} 때문에 하루 다 비우긴 힘든데. {part}[은/는] 어때?",
            ),
            s.level(
                f"{busy}[이/가] 있는 날이네요. {part}[으로/로] 바꿀 수 있어요?",
                f"{busy} 있는 날이네. {part}[으로/로] 바꿀 수 있어?",
            ),
        )
        if s.chance(0.4):
            s.say(me, "그럼 몇 시간이나 쓸 수 있을까요?", "반나절이면 될지 모르겠네요.")
            s.say(
                boss,
                s.level(f"{back} 나와서 급한 것만 봐 주면 돼요.", f"{back} 나와서 급한 것만 봐 주면 돼."),
            )
        s.say(
            me, f"네, {part}[이라/라]도 괜찮습니다. 그렇게 할게요.", f"그럼 {part}[으로/로] 신청하겠습니다."
        )
        s.say(
            boss,
            s.level("그래요, 바로 결재할게요.", "그래, 바로 결재할게."),
            s.level("네, 고마워요.", "응, 고마워."),
        )
        s.summarize(
            f"{name}[은/는] {why} {date}에 쉬고 싶어 하고, {busy} 때문에 {part}[을/를] 쓰기로 합니다.",
            f"{boss}[은/는] {busy}[이/가] 있다며 하루 휴가 대신 {part}[을/를] 제안하고 {name}[은/는] 받아들입니다.",
            f"{date}에 하루 쉬려던 {name}[은/는] {boss}[과/와] 이야기하여 {part}[으로/로] 바꿉니다.",
        )


def meeting_change(s: Scene) -> None:
    """Three or four people find another time or place for a meeting."""
    a, b, c = s.speaker(GIVEN), s.speaker(GIVEN), s.speaker(GIVEN)
    d = s.speaker(GIVEN) if s.chance(0.45) else None
    meeting = s.rng.choice(OFFICE_MEETINGS if s.polite else CLUB_MEETINGS)
    room, other, third = s.some(OFFICE_ROOMS if s.polite else CLUB_ROOMS, 3)
    day, new_day = s.some(WEEKDAYS[:5], 2)
    at, late, later = clock(s.rng, 9, 11), clock(s.rng, 13, 14), clock(s.rng, 16, 17)
    why, why2 = s.some(TIME_WHY + (OFFICE_WHY if s.polite else CLUB_WHY), 2)
    s.topic = s.pick("회의 일정 변경", f"{meeting} 일정 조정", "회의 시간과 장소 정하기")

    def greet_fourth() -> None:
        if d:
            s.say(
                d,
                s.level("저도 괜찮아요.", "나도 괜찮아."),
                s.level("저는 정해지는 대로 따를게요.", "난 정해지는 대로 갈게."),
                s.level("저도 찬성이에요.", "나도 찬성."),
            )

    if s.chance(0.6):
        s.say(
            a,
            s.level(
                f"{day} {at} {meeting} 말인데요, 시간을 옮길 수 있을까요? {why}요.",
                f"{day} {at} {meeting} 있잖아, 시간 좀 옮겨도 돼? {why}.",
            ),
            s.level(
                f"죄송한데 제가 {why} {day} {at} {meeting}에 못 갈 것 같아요.",
                f"미안한데 내가 {why} {day} {at} {meeting}에 못 갈 것 같아.",
            ),
            s.level(
                f"{called(s, b)}, {called(s, c)}, {day} {at}에 하는 {meeting} 때문에요. 제가 {why} 그 시간이 어렵게 됐어요.",
                f"얘들아, {day} {at}에 하는 {meeting} 말이야. 내가 {why} 그 시간은 힘들게 됐어.",
            ),
        )
        if s.chance(0.35):
            s.say(
                b,
                s.level("갑자기요? 큰일은 아니죠?", "갑자기? 큰일은 아니지?"),
                s.level("아, 저도 그 시간이 좀 빠듯했어요.", "아, 나도 그 시간 좀 빠듯했는데."),
            )
            s.say(
                a,
                s.level("네, 미리 말씀 못 드려서 죄송해요.", "응, 미리 말 못 해서 미안."),
                s.level("네, 저도 오늘 아침에야 알았어요.", "응, 나도 오늘 아침에야 알았어."),
            )
        ending = s.pick("late", "day", "counter", "keep", "absent", "online", "vote")
        if ending == "late":
            s.say(
                b,
                s.level(f"그럼 같은 날 {late}[은/는] 어때요?", f"그럼 같은 날 {late}[은/는] 어때?"),
                s.level(f"{late}[으로/로] 미루면 되지 않을까요?", f"{late}[으로/로] 미루면 되지 않아?"),
            )
            s.say(
                c,
                s.level(f"저는 {late}도 좋아요.", f"난 {late}도 좋아."),
                s.level("네, 저도 오히려 그때가 편해요.", "응, 나도 오히려 그때가 편해."),
            )
            greet_fourth()
            s.say(
                a,
                s.level(
                    f"고마워요. 그럼 {day} {late}에 {room}에서 봬요.",
                    f"고마워. 그럼 {day} {late}에 {room}에서 보자.",
                ),
                s.level(
                    f"다들 감사합니다. {room}도 {late}[으로/로] 다시 잡을게요.",
                    f"다들 고마워. 장소는 그대로 {room}[이야/야].",
                ),
            )
            s.summarize(
                f"{a}[이/가] {why} 참석하기 어렵다고 하자 {meeting}[을/를] {day} {at}에서 {late}[으로/로] 미룹니다.",
                f"{b}의 제안으로 {day} {meeting}[은/는] {late}에 {room}에서 열립니다.",
                f"{a}, {b}, {c}[은/는] {a}의 사정 때문에 {at}에 하려던 {meeting}[을/를] 같은 날 {late}에 하기로 합니다.",
            )
        elif ending == "day":
            s.say(
                c,
                s.level(
                    f"아예 {new_day}[으로/로] 옮기는 건 어떨까요?", f"아예 {new_day}[으로/로] 옮기는 건 어때?"
                ),
                s.level(f"{new_day} 같은 시간은 어떠세요?", f"{new_day} 같은 시간은 어때?"),
            )
            s.say(
                b,
                s.level(
                    f"{new_day}[이라면/라면] 저도 좋습니다. 준비할 시간도 생기고요.",
                    f"{new_day}[이면/면] 나도 좋아. 준비할 시간도 생기고.",
                ),
                s.level(f"네, {new_day} {at}[이/가] 더 낫겠네요.", f"응, {new_day} {at}[이/가] 더 낫겠다."),
            )
            greet_fourth()
            s.say(
                a,
                s.level(
                    f"그럼 {new_day} {at}[으로/로] 바꾸고 공지할게요.",
                    f"그럼 {new_day} {at}[으로/로] 바꾸고 내가 공지할게.",
                ),
                s.level(f"정말 고마워요. {new_day} {at}에 뵐게요.", f"진짜 고마워. {new_day} {at}에 보자."),
            )
            s.summarize(
                f"{a}[은/는] {why} {day} {meeting}에 참석하기 어렵고, 모두 {new_day} {at}에 모이기로 합니다.",
                f"{c}[이/가] {meeting} 날짜를 {new_day}[으로/로] 옮기자고 제안하고 다른 사람들도 찬성합니다.",
                f"{meeting}[이/가] {a}의 사정으로 {day}에서 {new_day} {at}[으로/로] 바뀝니다.",
            )
        elif ending == "counter":
            s.say(
                b,
                s.level(f"그럼 {late}에 할까요?", f"그럼 {late}에 할까?"),
                s.level(f"{late}[은/는] 다들 어떠세요?", f"{late}[은/는] 다들 어때?"),
            )
            s.say(
                c,
                s.level(f"저는 {why2} {late}[은/는] 안 돼요.", f"난 {why2} {late}[은/는] 안 돼."),
                s.level(f"{late}[은/는] 곤란해요. {why2}요.", f"{late}[은/는] 곤란한데. {why2}."),
            )
            if d:
                s.say(d, s.level(f"그럼 아예 {later}[은/는] 어때요?", f"그럼 아예 {later}[은/는] 어때?"))
            else:
                s.say(a, s.level(f"그러면 {later}[은/는] 괜찮으세요?", f"그러면 {later}[은/는] 괜찮아?"))
            s.say(
                c,
                s.level("네, 그때는 갈 수 있어요.", "응, 그때는 갈 수 있어."),
                s.level(f"{later}[이라면/라면] 문제없어요.", f"{later}[이라면/라면] 문제없지."),
            )
            s.say(
                b,
                s.level(f"그럼 {day} {later}[으로/로] 정할게요.", f"그럼 {day} {later}[으로/로] 정한다."),
                s.level(f"좋아요. {later}에 {room}에서 만나요.", f"좋아. {later}에 {room}에서 만나자."),
            )
            s.summarize(
                f"{meeting} 시간을 {late}[으로/로] 바꾸려 하지만 {c}[이/가] {why2} 안 된다고 하여 {later}[으로/로] 정합니다.",
                f"{a}[과/와] {c}의 일정 때문에 {day} {meeting}[은/는] {at} 대신 {later}에 열립니다.",
                f"{a}[이/가] {why} {at}에 모이기 어렵게 되자, 사람들은 {late}[과/와] {later} 가운데 {later}[을/를] 고릅니다.",
            )
        elif ending == "keep":
            s.say(
                b,
                s.level(f"어쩌죠, 저는 {why2} 다른 시간이 안 돼요.", f"어쩌지, 난 {why2} 다른 시간은 안 돼."),
                s.level(
                    f"저도 맞추고 싶은데 {why2} 그 시간밖에 없어요.",
                    f"나도 맞추고 싶은데 {why2} 그때밖에 안 돼.",
                ),
            )
            s.say(
                c,
                s.level(
                    "이미 자료도 다 돌렸잖아요. 그대로 하는 게 좋겠어요.",
                    "이미 다른 애들한테도 다 알렸잖아. 그냥 그대로 하자.",
                ),
                s.level(
                    "한 번 바꾸면 모두 다시 맞춰야 해서 힘들어요.", "한 번 바꾸면 다 다시 맞춰야 해서 힘들어."
                ),
            )
            greet_fourth()
            s.say(
                a,
                s.level(
                    f"알겠어요. 제 일을 다른 날로 미루고 {day} {at}에 갈게요.",
                    f"알았어. 내 일을 다른 날로 미루고 {day} {at}에 갈게.",
                ),
                s.level(
                    f"그럼 제가 일정을 옮겨 볼게요. {at}에 그대로 해요.",
                    f"그럼 내가 일정을 옮겨 볼게. {at}에 그대로 하자.",
                ),
            )
            s.summarize(
                f"{a}[은/는] {why} {meeting} 시간을 바꾸고 싶어 하지만, 결국 {day} {at}에 그대로 하기로 합니다.",
                f"{b}[은/는] {why2} 다른 시간이 안 된다고 하고, {a}[이/가] 자기 일정을 옮겨 {at} {meeting}에 참석하기로 합니다.",
                f"{meeting}[은/는] 바뀌지 않고 {day} {at}에 열리며, {a}[이/가] 다른 일을 미룹니다.",
            )
        elif ending == "absent":
            s.say(
                c,
                s.level("그럼 이번에는 저희끼리 할게요. 걱정 마세요.", "그럼 이번엔 우리끼리 할게. 걱정 마."),
                s.level("급한 내용은 아니니 이번에는 빠지셔도 돼요.", "급한 건 아니니까 이번엔 빠져도 돼."),
            )
            s.say(
                a,
                s.level(
                    "그래도 될까요? 나중에 내용만 좀 알려 주세요.", "그래도 돼? 나중에 내용만 좀 알려 줘."
                ),
            )
            s.say(
                b,
                s.level("제가 정리해서 이메일로 보낼게요. #Email# 맞죠?", "내가 정리해서 단톡방에 올릴게."),
                s.level("제가 회의록을 써서 바로 보내 드릴게요.", "내가 적어 뒀다가 바로 보내 줄게."),
            )
            greet_fourth()
            s.say(a, s.level("고마워요. 다음번에는 꼭 갈게요.", "고마워. 다음엔 꼭 갈게."))
            s.summarize(
                f"{a}[은/는] {why} {day} {meeting}에 빠지고, {b}[이/가] 내용을 정리해 보내 주기로 합니다.",
                f"{day} {at} {meeting}[은/는] {a} 없이 하기로 합니다. {b}[은/는] 나중에 내용을 알려 주겠다고 합니다.",
                f"{c}[은/는] {why} 올 수 없는 {a}에게 {meeting}에 빠져도 된다고 말합니다. 회의 내용은 {b}[이/가] 전합니다.",
            )
        elif ending == "online":
            s.say(
                b,
                s.level(
                    "그럼 화상으로 하면 어때요? 어디서든 들어올 수 있잖아요.",
                    "그럼 화상으로 할까? 어디서든 들어올 수 있잖아.",
                ),
                s.level("이번 회의는 온라인으로 하는 게 어떨까요?", "이번엔 온라인으로 하는 게 어때?"),
            )
            s.say(
                a,
                s.level("화상이면 저도 이동하면서 들을 수 있어요.", "화상이면 나도 이동하면서 들을 수 있어."),
                s.level(f"그럼 저는 {late}부터 들어갈 수 있어요.", f"그럼 난 {late}부터 들어갈 수 있어."),
            )
            s.say(
                c,
                s.level("좋아요. 접속 주소는 제가 보낼게요.", "좋아. 주소는 내가 보낼게."),
                s.level("그럼 제가 화상 회의를 열어 둘게요.", "그럼 내가 화상 방 열어 둘게."),
            )
            greet_fourth()
            s.summarize(
                f"{a}[이/가] {why} {day} {meeting}에 오기 어려워지자 화상으로 모이기로 합니다.",
                f"{b}[은/는] {meeting}[을/를] 온라인으로 하자고 제안하고, 준비는 {c}[이/가] 맡습니다.",
                f"{day} {at}에 잡혀 있던 {meeting}[은/는] {a}의 사정 때문에 화상으로 하게 됩니다.",
            )
        else:
            s.say(
                b,
                s.level(
                    f"{new_day} {late}[과/와] {day} {later} 중에 고르면 어때요?",
                    f"{new_day} {late}[이랑/랑] {day} {later} 중에 고를까?",
                ),
            )
            s.say(
                c,
                s.level(
                    "저는 지금 바로 답하기 어려워요. 일정을 확인해야 해요.",
                    "난 지금 바로는 모르겠어. 일정 좀 봐야 해.",
                ),
                s.level("팀장님께 먼저 여쭤봐야 할 것 같아요.", "다른 애들한테도 물어봐야 할 것 같은데."),
            )
            s.say(
                a,
                s.level(
                    "그럼 내일까지 투표로 정해요. 제가 올릴게요.", "그럼 내일까지 투표로 정하자. 내가 올릴게."
                ),
                s.level(
                    "그럼 단체방에 투표를 올릴 테니 내일까지 골라 주세요.",
                    "그럼 단톡방에 투표 올릴 테니까 내일까지 골라 줘.",
                ),
            )
            greet_fourth()
            s.say(b, s.level("네, 그게 좋겠네요.", "응, 그게 좋겠다."))
            s.summarize(
                f"{a}[이/가] {why} {day} {at} {meeting}에 올 수 없어 새 시간을 내일까지 투표로 정하기로 합니다.",
                f"{meeting} 시간을 바로 정하지 못하고, {a}[이/가] 투표를 올려 내일까지 고르기로 합니다.",
                f"{b}[은/는] {new_day} {late}[과/와] {day} {later}[을/를] 제안하지만 결정은 내일까지 투표로 미룹니다.",
            )
        return
    trouble = s.rng.choice(PLACE_WHY)
    s.say(
        b,
        s.level(
            f"{day} {at} {meeting} 장소를 바꿔야겠어요. {room}[은/는] {trouble} 못 쓴대요.",
            f"{day} {at} {meeting} 장소 바꿔야겠다. {room}[은/는] {trouble} 못 쓴대.",
        ),
        s.level(
            f"여러분, {trouble} {day} {at} {meeting}[을/를] {room}에서 못 하게 됐어요.",
            f"얘들아, {trouble} {day} {at} {meeting} {room}에서 못 하게 됐어.",
        ),
    )
    if s.chance(0.35):
        s.say(
            a,
            s.level("정말요? 언제 알았어요?", "진짜? 언제 알았어?"),
            s.level("저런, 하필 그때네요.", "아이고, 하필 그때냐."),
        )
        s.say(
            b,
            s.level("방금 연락을 받았어요.", "방금 연락받았어."),
            s.level("아까 가 봤다가 알았어요.", "아까 가 봤다가 알았어."),
        )
    ending = s.pick("other", "third", "online", "put off")
    if ending == "other":
        s.say(
            c,
            s.level(f"{other}[은/는] 비어 있던데요.", f"{other} 비어 있던데."),
            s.level(f"그럼 {other}[은/는] 어때요?", f"그럼 {other}[은/는] 어때?"),
        )
        s.say(
            a,
            s.level("거기 좋네요. 조용하고 가까워요.", "거기 좋다. 조용하고 가깝잖아."),
            s.level("넓어서 다 앉을 수 있겠네요.", "넓어서 다 앉을 수 있겠다."),
        )
        greet_fourth()
        s.say(
            b,
            s.level(f"그럼 {at}에 {other}[으로/로] 오세요.", f"그럼 {at}에 {other}[으로/로] 와."),
            s.level(
                f"좋아요. {other}[으로/로] 정하고 시간은 {at} 그대로예요.",
                f"좋아. {other}[으로/로] 정하고 시간은 {at} 그대로야.",
            ),
        )
        s.summarize(
            f"{room}[을/를] 쓸 수 없게 되어 {day} {meeting} 장소를 {other}[으로/로] 바꿉니다.",
            f"{c}[이/가] {other}[을/를] 추천하여 {meeting}[은/는] {day} {at}에 그곳에서 열립니다.",
            f"{b}[은/는] {trouble} {room}[을/를] 쓸 수 없다고 알리고, 모두 {other}에 모이기로 합니다.",
        )
    elif ending == "third":
        s.say(
            a,
            s.level(f"{other}[은/는] 어떨까요?", f"{other}[은/는] 어때?"),
            s.level(f"가까운 {other}[으로/로] 가면 되죠.", f"가까운 {other}[으로/로] 가면 되지."),
        )
        s.say(
            c,
            s.level("거기는 너무 시끄러워요.", "거긴 너무 시끄러워."),
            s.level("거기는 그 시간에 사람이 많아요.", "거긴 그 시간에 사람 많아."),
        )
        s.say(
            d or a,
            s.level(f"그럼 {third}[은/는] 괜찮죠?", f"그럼 {third}[은/는] 괜찮지?"),
            s.level(f"{third}[이라면/라면] 조용할 거예요.", f"{third}[이라면/라면] 조용할걸."),
        )
        s.say(
            b,
            s.level(
                f"네, {third}[으로/로] 하고 시간은 {at} 그대로 해요.",
                f"응, {third}[으로/로] 하고 시간은 {at} 그대로 하자.",
            ),
        )
        s.summarize(
            f"{trouble} {room}[을/를] 쓸 수 없게 되자 {meeting} 장소를 {other} 대신 {third}[으로/로] 정합니다.",
            f"{c}[이/가] {other}[을/를] 반대하여 {day} {at} {meeting}[은/는] {third}에서 하기로 합니다.",
            f"{day} {meeting}[은/는] 시간은 그대로 두고 장소만 {room}에서 {third}[으로/로] 바뀝니다.",
        )
    elif ending == "online":
        s.say(
            a,
            s.level("그럼 그냥 화상으로 하죠.", "그럼 그냥 화상으로 하자."),
            s.level("이참에 온라인으로 해 보면 어때요?", "이참에 온라인으로 해 보는 건 어때?"),
        )
        s.say(
            c,
            s.level("저는 집에서 들어갈 수 있어서 더 좋아요.", "난 집에서 들어갈 수 있어서 더 좋아."),
            s.level("좋은데 화면 공유는 누가 해요?", "좋은데 화면 공유는 누가 해?"),
        )
        s.say(b, s.level("제가 화면을 띄우고 주소도 보낼게요.", "내가 화면 띄우고 주소도 보낼게."))
        greet_fourth()
        s.summarize(
            f"{room}[을/를] 쓸 수 없어 {day} {at} {meeting}[을/를] 온라인으로 하기로 합니다.",
            f"{a}[은/는] 장소를 찾는 대신 화상으로 하자고 하고, {b}[이/가] {meeting} 주소를 보내기로 합니다.",
            f"{trouble} {room}에 모일 수 없게 되자 {meeting}[은/는] 화상으로 바뀝니다.",
        )
    else:
        s.say(
            c,
            s.level("다른 방도 다 찼어요. 날짜를 옮겨야겠네요.", "다른 데도 다 찼어. 날짜를 옮겨야겠는데."),
            s.level("그날은 쓸 만한 곳이 없을 텐데요.", "그날은 쓸 만한 데가 없을 텐데."),
        )
        s.say(
            a,
            s.level(f"그럼 {new_day} {late}[은/는] 어때요?", f"그럼 {new_day} {late}[은/는] 어때?"),
            s.level(
                f"{new_day} {late}[으로/로] 미루는 게 낫겠어요.",
                f"{new_day} {late}[으로/로] 미루는 게 낫겠다.",
            ),
        )
        greet_fourth()
        s.say(
            b,
            s.level(
                f"네, {new_day} {late}에 {room}[을/를] 다시 잡을게요.",
                f"그래, {new_day} {late}에 {room}[으로/로] 다시 잡을게.",
            ),
        )
        s.summarize(
            f"{trouble} {room}[을/를] 쓸 수 없어 {meeting}[을/를] {new_day} {late}[으로/로] 미룹니다.",
            f"{a}[은/는] 장소를 구하기 어려우니 {meeting}[을/를] {new_day} {late}에 하자고 제안하고 {b}[은/는] 동의합니다.",
            f"{day} {at}에 하려던 {meeting}[은/는] 장소 문제로 {new_day} {late}에 열립니다.",
        )


def report_help(s: Scene) -> None:
    """A report is due soon; a colleague is asked for help, sometimes the boss comes by."""
    a, b, boss = s.speaker(GIVEN), s.speaker(GIVEN), s.speaker(GIVEN)
    report, treat = s.rng.choice(REPORTS), s.rng.choice(TREATS)
    part, other = s.some(PARTS, 2)
    due = f"{s.pick('내일', '모레')} {clock(s.rng, 9, 15)}"
    s.topic = s.pick("보고서 마감", f"{report} 도움 요청", "보고서 작성 도움")
    named = s.chance(0.5)
    name = b.name if named else str(b)
    call = f"{called(s, b)}, " if named else ""
    b_first = s.chance(0.4)
    if b_first:
        s.say(
            b,
            s.level("아직 퇴근 안 하셨어요?", "아직 안 갔어?"),
            s.level("표정이 왜 그래요? 무슨 일 있어요?", "표정이 왜 그래? 무슨 일 있어?"),
            s.level("오늘따라 바빠 보이네요.", "오늘따라 바빠 보이네."),
        )
    s.say(
        a,
        call
        + s.level(
            f"{report} 마감이 {due}까지인데 아직 반도 못 썼어요.",
            f"{report} 마감이 {due}까지인데 아직 반도 못 썼어.",
        ),
        call
        + s.level(
            f"{due}까지 {report}[을/를] 내야 하는데 큰일이에요.",
            f"나 {due}까지 {report} 내야 하는데 큰일 났어.",
        ),
        call
        + s.level(
            f"저 좀 도와주실 수 있어요? {report}[을/를] {due}까지 내야 해요.",
            f"나 좀 도와줄 수 있어? {report}[을/를] {due}까지 내야 해.",
        ),
    )
    s.say(
        b,
        s.level("어느 부분이 제일 안 풀려요?", "어디가 제일 안 풀려?"),
        s.level("얼마나 남았는데요?", "얼마나 남았는데?"),
        s.level("뭐가 문제예요?", "뭐가 문제야?"),
    )
    s.say(
        a,
        s.level(f"{part}[이/가] 그대로 남아 있어요.", f"{part}[이/가] 그대로 남아 있어."),
        s.level(f"다른 건 됐는데 {part}에서 막혔어요.", f"다른 건 됐는데 {part}에서 막혔어."),
        s.level(f"특히 {part}[이/가] 너무 오래 걸려요.", f"특히 {part}[이/가] 너무 오래 걸려."),
    )
    if s.chance(0.3):
        s.say(
            b,
            s.level("왜 이제야 시작했어요?", "왜 이제야 시작했어?"),
            s.level("미리 말씀하시지 그랬어요.", "미리 말하지 그랬어."),
        )
        s.say(
            a,
            s.level("자료가 어제야 왔거든요.", "자료가 어제야 왔거든."),
            s.level("컴퓨터가 고장 나서 처음부터 다시 썼어요.", "컴퓨터가 고장 나서 처음부터 다시 썼어."),
            s.level("다른 일부터 하다가 늦어졌어요.", "다른 일부터 하다가 늦어졌어."),
        )
    ending = s.pick("help", "part", "refuse", "extend", "no extend", "file", "trade")
    if ending == "help":
        until = clock(s.rng, 18, 21)
        s.say(
            b,
            s.level(
                f"제가 {part}[을/를] 맡을게요. {until}까지는 시간이 있어요.",
                f"{part}[은/는] 내가 할게. {until}까지는 시간 있어.",
            ),
            s.level(
                f"그럼 {until}까지 같이 해요. {part}[은/는] 저한테 주세요.",
                f"그럼 {until}까지 같이 하자. {part}[은/는] 나한테 줘.",
            ),
        )
        s.say(
            a,
            s.level(f"정말 고마워요. 끝나면 {treat} 살게요.", f"진짜 고마워. 끝나면 {treat} 살게."),
            s.level(f"살았어요. {treat}[은/는] 제가 낼게요.", f"살았다. {treat}[은/는] 내가 낼게."),
        )
        s.say(
            b,
            s.level("좋아요. 파일부터 보내 주세요.", "좋아. 파일부터 보내 줘."),
            s.level("그 약속 잊지 마세요.", "그 약속 잊지 마."),
        )
        s.summarize(
            f"{name}[은/는] {a}의 {report} 작성을 도와 {until}까지 {part}[을/를] 맡기로 합니다.",
            f"{due}까지 {report}[을/를] 내야 하는 {a}[은/는] {name}의 도움을 받고 {treat}[을/를] 사기로 합니다.",
            f"{a}[이/가] {part} 때문에 힘들어하자 {name}[이/가] {until}까지 도와주겠다고 합니다.",
        )
    elif ending == "part":
        hours = s.pick("한 시간", "두 시간", "30분")
        s.say(
            b,
            s.level(
                f"저도 바빠서 {hours}밖에 못 도와드려요. {part}만 해 드릴게요.",
                f"나도 바빠서 {hours}밖에 못 도와줘. {part}만 해 줄게.",
            ),
            s.level(
                f"오늘은 {hours} 정도만 비어요. 그동안 {part}[을/를] 해 볼게요.",
                f"오늘은 {hours} 정도만 비어. 그동안 {part} 해 볼게.",
            ),
        )
        s.say(
            a,
            s.level(
                f"그것만 해도 충분해요. {other}[은/는] 제가 할게요.",
                f"그것만 해도 충분해. {other}[은/는] 내가 할게.",
            ),
            s.level(
                f"고마워요. 그럼 저는 {other}[을/를] 끝내 놓을게요.",
                f"고마워. 그럼 난 {other}[을/를] 끝내 놓을게.",
            ),
        )
        s.summarize(
            f"{name}[은/는] {hours} 동안 {a}의 {report} 가운데 {part}[을/를] 도와주기로 합니다.",
            f"{a}[과/와] {name}[은/는] 일을 나누어 {name}[은/는] {part}, {a}[은/는] {other}[을/를] 하기로 합니다.",
            f"{due}까지 내야 하는 {report} 때문에 {a}[이/가] 도움을 청하자, 바쁜 {name}[은/는] {hours}만 시간을 내 줍니다.",
        )
    elif ending == "refuse":
        reason = s.rng.choice(TIME_WHY)
        expert = s.pick(*(n for n in GIVEN if n not in (a.name, b.name, boss.name)))
        s.say(
            b,
            s.level(
                f"도와주고 싶은데 저는 {reason} 오늘은 어려워요.",
                f"도와주고 싶은데 난 {reason} 오늘은 힘들어.",
            ),
            s.level(f"미안해요. {reason} 지금 나가야 해요.", f"미안. {reason} 지금 나가야 돼."),
        )
        s.say(
            a,
            s.level("괜찮아요. 그럼 누구한테 물어보면 좋을까요?", "괜찮아. 그럼 누구한테 물어보지?"),
            s.level("할 수 없죠. 혹시 잘하는 사람 알아요?", "할 수 없지. 혹시 잘하는 사람 알아?"),
        )
        s.say(
            b,
            s.level(
                f"{expert} 씨가 {part}[을/를] 잘하니까 물어보세요.",
                f"{expert}[이가/가] {part} 잘하니까 물어봐.",
            ),
            s.level(
                f"그건 {expert} 씨가 전문이에요. 번호는 #PhoneNumber#예요.",
                f"그건 {expert}[이가/가] 전문이야. 번호는 #PhoneNumber#야.",
            ),
        )
        s.say(a, s.level("고마워요. 바로 연락해 볼게요.", "고마워. 바로 연락해 볼게."))
        s.summarize(
            f"{name}[은/는] {reason} {a}의 {report}[을/를] 도울 수 없다며 {expert}[을/를] 소개합니다.",
            f"{a}[은/는] {part} 때문에 도움을 청하지만 거절당하고, {expert}에게 연락해 보기로 합니다.",
            f"{due}까지 {report}[을/를] 내야 하는 {a}에게 {name}[은/는] {expert}[이/가] {part}[을/를] 잘한다고 알려 줍니다.",
        )
    elif ending in ("extend", "no extend"):
        title = f"{s.pick(*FAMILY)} {s.pick('부장', '과장', '팀장')}"
        s.say(
            b,
            s.level(
                f"차라리 {title}님께 마감을 미뤄 달라고 해 보세요. 마침 저기 오시네요.",
                f"차라리 {title}님께 마감을 미뤄 달라고 해 봐. 마침 저기 오시네.",
            ),
        )
        new = f"{s.pick('이번 주 금요일', '다음 주 월요일', '다음 주 화요일')} {clock(s.rng, 9, 16)}"
        s.say(
            a,
            f"{title}님, {report} 말인데요. {part}[이/가] 남아서 {new}까지 내도 될까요?",
            f"{title}님, 죄송하지만 {report}[을/를] {new}까지 드리면 안 될까요? {part}[이/가] 아직 안 끝났습니다.",
        )
        if ending == "extend":
            s.say(
                boss,
                s.level(
                    f"괜찮아요. 급한 건 아니니 {new}까지 주세요.", f"괜찮아. 급한 건 아니니까 {new}까지 줘."
                ),
                s.level("그래요. 대신 꼼꼼하게 써 주세요.", "그래. 대신 꼼꼼하게 써 줘."),
            )
            s.say(a, "네, 감사합니다. 꼭 지키겠습니다.", "정말 감사합니다. 잘 마무리하겠습니다.")
            s.say(
                b,
                s.level("거봐요, 말하길 잘했죠?", "거봐, 말하길 잘했지?"),
                s.level("다행이네요. 이제 천천히 해요.", "다행이다. 이제 천천히 해."),
            )
            s.summarize(
                f"{name}의 조언을 들은 {a}[은/는] {title}에게 부탁하여 {report} 마감을 {new}까지 미룹니다.",
                f"{due}까지였던 {report} 마감이 {new}까지로 늦춰집니다. {title}[이/가] {a}의 부탁을 들어준 것입니다.",
                f"{a}[은/는] {part}[이/가] 남아 {report}[을/를] 제때 내기 어려웠는데, {title}[은/는] {new}까지 내도 된다고 허락합니다.",
            )
        else:
            s.say(
                boss,
                s.level(
                    "그건 어려워요. 사장님께 바로 올려야 하거든요.",
                    "그건 어려운데. 사장님께 바로 올려야 하거든.",
                ),
                s.level(
                    "미안하지만 거래처와 약속한 날짜라 못 미뤄요.",
                    "미안하지만 거래처랑 약속한 날짜라 못 미뤄.",
                ),
            )
            s.say(a, "알겠습니다. 어떻게든 맞춰 보겠습니다.", "네, 그럼 오늘 밤을 새워서라도 끝내겠습니다.")
            s.say(
                b,
                s.level(
                    f"할 수 없네요. {part}[은/는] 제가 도와줄게요.",
                    f"할 수 없네. {part}[은/는] 내가 도와줄게.",
                ),
            )
            s.summarize(
                f"{a}[은/는] {report} 마감을 {new}까지 미뤄 달라고 하지만 {title}[은/는] 거절합니다. {name}[이/가] {part}[을/를] 돕기로 합니다.",
                f"{title}[이/가] 마감을 늦춰 주지 않아 {a}[은/는] {due}까지 {report}[을/를] 끝내야 하고, {name}[은/는] {part}[을/를] 도와주겠다고 합니다.",
                f"{report}[을/를] {new}까지 내려던 {a}의 부탁은 받아들여지지 않고, 결국 {name}[과/와] 함께 {due} 마감에 맞추기로 합니다.",
            )
    elif ending == "file":
        s.say(
            b,
            s.level("작년에 제가 쓴 파일이 있는데 참고하실래요?", "작년에 내가 쓴 파일 있는데 참고할래?"),
            s.level(
                "그건 제가 만든 양식을 쓰면 금방이에요. 작년 파일을 드릴까요?",
                "그건 내가 만든 양식 쓰면 금방이야. 작년 파일 줄까?",
            ),
        )
        s.say(
            a,
            s.level("정말요? 그럼 #Email#로 보내 주세요.", "진짜? 그럼 #Email#로 보내 줘."),
            s.level(
                "그럼 일이 훨씬 줄겠네요. 지금 받을 수 있어요?", "그럼 일이 훨씬 줄겠다. 지금 받을 수 있어?"
            ),
        )
        s.say(
            b,
            s.level(
                f"지금 보낼게요. {part}[은/는] 그대로 따라 하면 돼요.",
                f"지금 보낼게. {part}[은/는] 그대로 따라 하면 돼.",
            ),
            s.level(f"방금 보냈어요. {part} 부분은 3쪽을 보세요.", f"방금 보냈어. {part} 부분은 3쪽 봐."),
        )
        if s.chance(0.5):
            s.say(
                a, s.level(f"덕분에 살았어요. 다음에 {treat} 살게요.", f"덕분에 살았다. 다음에 {treat} 살게.")
            )
        s.summarize(
            f"{name}[은/는] {report}[을/를] 쓰는 {a}에게 작년 파일을 보내 줍니다.",
            f"{a}[은/는] {due}까지 {report}[을/를] 내야 하는데, {name}의 작년 파일을 보고 {part}[을/를] 하기로 합니다.",
            f"{part} 때문에 고민하던 {a}[은/는] {name}[이/가] 작년에 쓴 파일을 참고하게 됩니다.",
        )
    else:
        chore = s.pick(
            "금요일 당직",
            "다음 주 회의록 정리",
            "사무실 화분 물 주기",
            "월요일 아침 청소",
            "손님 마중",
            "신입 안내",
            "창고 정리",
            "우체국 심부름",
        )
        s.say(
            b,
            s.level(
                f"도와줄 테니 대신 {chore}[을/를] 해 줄 수 있어요?",
                f"도와줄 테니까 대신 {chore} 해 줄 수 있어?",
            ),
            s.level(
                f"{chore}[을/를] 저 대신 해 주면 {part}[은/는] 제가 할게요.",
                f"{chore} 나 대신 해 주면 {part}[은/는] 내가 할게.",
            ),
        )
        if s.chance(0.7):
            s.say(
                a,
                s.level(f"좋아요. {chore}[은/는] 저한테 맡기세요.", f"좋아. {chore}[은/는] 나한테 맡겨."),
                s.level("그 정도야 얼마든지요. 약속할게요.", "그 정도야 얼마든지. 약속할게."),
            )
            s.say(
                b,
                s.level(
                    f"그럼 {part}[은/는] 오늘 안에 끝내 줄게요.", f"그럼 {part}[은/는] 오늘 안에 끝내 줄게."
                ),
            )
            s.summarize(
                f"{name}[은/는] {part}[을/를] 돕고, {a}[은/는] 그 대신 {chore}[을/를] 해 주기로 합니다.",
                f"{due}까지 {report}[을/를] 내야 하는 {a}[은/는] {chore}[을/를] 맡는 조건으로 {name}의 도움을 받습니다.",
                f"{a}[과/와] {name}[은/는] {report}의 {part}[과/와] {chore}[을/를] 서로 바꾸어 해 주기로 합니다.",
            )
        else:
            s.say(
                a,
                s.level("그건 좀 곤란해요. 그때 약속이 있거든요.", "그건 좀 곤란해. 그때 약속 있거든."),
                s.level("그럼 그냥 저 혼자 해 볼게요.", "그럼 그냥 나 혼자 해 볼게."),
            )
            s.say(
                b,
                s.level("그래요? 그럼 힘내세요.", "그래? 그럼 힘내."),
                s.level("알겠어요. 모르는 게 있으면 물어보세요.", "알았어. 모르는 거 있으면 물어봐."),
            )
            s.summarize(
                f"{name}[은/는] 도와주는 대신 {chore}[을/를] 부탁하지만 {a}[은/는] 거절합니다.",
                f"{a}[은/는] {report} 때문에 도움을 청했으나 {chore}[을/를] 대신 해 달라는 조건을 받아들이지 않습니다.",
                f"{chore}[을/를] 해 주면 돕겠다는 {name}의 말에 {a}[은/는] 응하지 않고, {due}까지인 {report}[은/는] 스스로 쓰게 됩니다.",
            )


SITUATIONS = [job_interview, leave_request, meeting_change, report_help]
