"""Plans at home and among friends: a family trip, a surprise party, an evening at the pictures."""

from competitions.daily_talk.generator.engine import Scene, Speaker
from competitions.daily_talk.generator.situations.home import both, nick
from competitions.daily_talk.generator.words import GIVEN, PLACES, WEEKDAYS, clock

# place, stem of what one does there before 고/기
TRIPS = [
    ("강릉", "커피 거리를 구경하"),
    ("속초", "설악산 케이블카를 타"),
    ("여수", "밤바다를 보"),
    ("경주", "불국사를 둘러보"),
    ("전주", "한복을 입어 보"),
    ("제주도", "올레길을 걷"),
    ("부산", "자갈치 시장에서 회를 먹"),
    ("통영", "벽화 마을을 구경하"),
    ("남해", "독일 마을을 둘러보"),
    ("단양", "패러글라이딩을 하"),
    ("담양", "대나무 숲길을 걷"),
    ("춘천", "레일바이크를 타"),
    ("태안", "바닷가에서 노을을 보"),
    ("안동", "하회 마을을 구경하"),
    ("평창", "양 떼한테 먹이를 주"),
    ("목포", "해상 케이블카를 타"),
    ("거제도", "유람선을 타"),
    ("보성", "녹차밭을 둘러보"),
]
# as children say it politely, casually, and as reported; no final period
AGAINST = [
    ("거기는 연휴마다 차가 너무 막히잖아요", "거긴 연휴마다 차가 너무 막히잖아", "차가 막힌다며"),
    ("거기는 작년에도 갔잖아요", "거긴 작년에도 갔잖아", "작년에도 갔다며"),
    ("거기는 숙소값이 너무 비싸던데요", "거긴 숙소값이 너무 비싸던데", "숙소값이 비싸다며"),
    ("거기는 가는 데만 한나절이 걸려요", "거긴 가는 데만 한나절이 걸려", "가는 데 오래 걸린다며"),
    ("거기는 그때 비 온다던데요", "거긴 그때 비 온다던데", "비가 온다며"),
    ("거기는 사람이 너무 많아서 쉬지도 못해요", "거긴 사람이 너무 많아서 쉬지도 못해", "사람이 너무 많다며"),
    ("저는 요즘 발목이 아파서 많이 못 걸어요", "난 요즘 발목이 아파서 많이 못 걸어", "발목이 아프다며"),
    ("거기는 저녁만 되면 할 게 없어요", "거긴 저녁만 되면 할 게 없어", "저녁에 할 것이 없다며"),
    ("저는 차를 오래 타면 멀미해요", "난 차를 오래 타면 멀미해", "멀미를 한다며"),
    ("거기는 먹을 만한 데가 별로 없대요", "거긴 먹을 만한 데가 별로 없대", "먹을 곳이 없다며"),
    (
        "저는 이번에는 좀 조용한 데서 쉬고 싶어요",
        "난 이번에는 좀 조용한 데서 쉬고 싶어",
        "조용한 곳에서 쉬고 싶다며",
    ),
    ("거기는 가 봤는데 별로였어요", "거긴 가 봤는데 별로였어", "가 봤는데 별로였다며"),
]
BREAKS = [
    "여름휴가",
    "추석 연휴",
    "겨울 방학",
    "봄 방학",
    "5월 연휴",
    "광복절 연휴",
    "설 연휴",
    "결혼기념일",
    "10월 연휴",
    "크리스마스",
    "할머니 칠순",
    "여름 방학",
]
LODGINGS = [
    "펜션",
    "한옥 숙소",
    "콘도",
    "게스트하우스",
    "호텔",
    "캠핑장",
    "휴양림",
    "민박",
    "리조트",
    "글램핑장",
    "온천 호텔",
    "풀빌라",
]
RIDES = ["우리 차", "기차", "고속버스", "렌터카", "시외버스", "삼촌 차"]


def family_trip(s: Scene) -> None:
    """Three or four of a family decide where to spend the holidays."""
    parent, mate, kid = s.speaker(GIVEN), s.speaker(GIVEN), s.speaker(GIVEN)
    kid2 = s.speaker(GIVEN) if s.chance(0.5) else None
    kids = [k for k in (kid, kid2) if k]
    (one, do_one), (two, do_two), (three, do_three) = s.rng.sample(TRIPS, 3)
    far = "제주도" in (one, two, three)
    holiday, nights = (
        s.rng.choice(BREAKS),
        s.pick("1박 2일" if far else "당일치기", "1박 2일", "2박 3일", "3박 4일", "1박 2일", "2박 3일"),
    )
    s.topic = s.pick("가족 여행지 정하기", f"{holiday} 가족 여행", "가족 여행 계획")
    long = s.chance(0.45)

    def tell(who: Speaker, polite: tuple[str, ...], casual: tuple[str, ...]) -> None:
        """Parents speak casually; children at the scene's level."""
        s.say(who, *(polite if s.polite and who in kids else casual))

    s.say(
        parent,
        f"다들 모여 봐. {holiday}에 {nights}[으로/로] 여행 가려고 하는데 어디가 좋을까?",
        f"{holiday}에 다 같이 {nights} 여행 어때? 가고 싶은 데 말해 봐.",
        f"이번 {holiday}에는 {nights}[으로/로] 어디 좀 다녀오자. 의견들 내 봐.",
    )
    fan, critic = s.rng.choice(
        [(kid, mate), (mate, kid), (kid, parent), *([(kid2, mate), (kid2, kid), (kid, kid2)] if kid2 else [])]
    )
    tell(
        fan,
        (
            f"저는 {one}에 가서 {do_one}고 싶어요.",
            f"{one} 어때요? {do_one}고 싶어요.",
            f"{one}[이요/요]! 이번에는 꼭 {do_one}고 싶어요.",
        ),
        (
            f"난 {one}에 가서 {do_one}고 싶어.",
            f"{one} 어때? {do_one}고 싶어.",
            f"나는 무조건 {one}. 이번에는 꼭 {do_one}고 싶어.",
        ),
    )
    if long:
        other = next(w for w in (parent, mate, *kids) if w not in (fan, critic))
        tell(
            other,
            (
                f"{one}[이요/요]? 저도 사진으로 봤는데 예쁘더라고요.",
                f"{one}[은/는] 얼마나 걸려요?",
                "오, 그것도 재미있겠네요.",
            ),
            (
                f"{one}? 나도 사진으로 봤는데 예쁘더라.",
                f"{one}[이라/라]. 생각도 못 했네.",
                "오, 그것도 재미있겠다.",
            ),
        )
    bad_polite, bad_casual, because = s.rng.choice(
        [x for x in AGAINST if nights != "당일치기" or "숙소" not in x[0]]
    )
    tell(
        critic,
        (
            f"{bad_polite}. 그러지 말고 {two}에 가요. 거기서 {do_two}고 싶어요.",
            f"{bad_polite}. 저는 {two}[이/가] 더 좋아요. {do_two}기도 좋고요.",
        ),
        (
            f"{bad_casual}. 그러지 말고 {two}에 가자. 거기서 {do_two}고 싶어.",
            f"{bad_casual}. 나는 {two}[이/가] 더 좋아. {do_two}기도 좋고.",
        ),
    )
    ending = s.pick("one", "two", "three", "vote", "lot", "postpone", "stay", "turns")
    if ending == "one":
        tell(
            fan,
            (
                f"그래도 저는 {one}[이/가] 훨씬 끌려요. 꼭 가고 싶어요.",
                f"{two}도 좋지만 {one}[은/는] 오래전부터 가고 싶었단 말이에요.",
            ),
            (
                f"그래도 나는 {one}[이/가] 훨씬 끌려. 꼭 가고 싶어.",
                f"{two}도 좋지만 {one}[은/는] 오래전부터 가고 싶었단 말이야.",
            ),
        )
    elif s.chance(0.5) or long:
        tell(
            fan,
            (
                f"{two}[이요/요]? 저는 별로인데요.",
                f"{two}도 나쁘지는 않네요.",
                f"그래도 저는 {one}[이/가] 더 끌려요.",
            ),
            (f"{two}? 난 별로인데.", f"{two}도 나쁘지는 않네.", f"그래도 나는 {one}[이/가] 더 끌려."),
        )
    for quiet in (parent, mate, *kids):
        if not any(w == quiet for w, _ in s.turns):
            tell(
                quiet,
                (
                    "저는 둘 다 괜찮아요.",
                    "저는 맛있는 것만 있으면 어디든 좋아요.",
                    "둘 다 멋진데 고르기가 어렵네요.",
                    "사진을 보니까 두 군데 다 예뻐요.",
                ),
                (
                    "나는 둘 다 괜찮아.",
                    "난 맛있는 것만 있으면 어디든 좋아.",
                    "둘 다 멋진데 고르기가 어렵네.",
                    "사진을 보니까 두 군데 다 예쁘다.",
                ),
            )
    if long:
        if s.chance(0.6):
            budget = f"{s.rng.randrange(3, 13)}0만 원"
            tell(
                mate,
                (),
                (
                    f"어디를 가든 예산은 {budget}[이야/야]. 그 안에서 정해야 해.",
                    f"이번에는 {budget} 안에서 다녀오자.",
                ),
            )
            s.say(parent, "그 정도면 충분하지.", "빠듯하긴 해도 맞춰 볼게.", "그럼 밥은 한두 번 해 먹자.")
        if s.chance(0.6):
            tell(
                kid,
                (
                    "할머니도 같이 가시면 안 돼요?",
                    "우리 강아지는 어떻게 해요?",
                    "저 그때 학원 보강 있는데요.",
                ),
                ("할머니도 같이 가면 안 돼?", "우리 강아지는 어떡해?", "나 그때 학원 보강 있는데."),
            )
            last = s.turns[-1][1]
            s.say(
                mate,
                "내가 전화해서 여쭤볼게."
                if "할머니" in last
                else "이모네 맡기면 되지. 내가 부탁해 볼게."
                if "강아지" in last
                else "선생님께 말씀드려서 날짜를 바꾸자.",
            )
        s.say(parent, "자, 그럼 이제 슬슬 결정하자.", "이러다 밤새우겠다. 정하자.", "다들 할 말은 다 했지?")
    lodging, ride = s.rng.choice(LODGINGS), s.rng.choice(RIDES)
    place, do = {"one": (one, do_one), "two": (two, do_two), "three": (three, do_three)}.get(
        ending, s.rng.choice([(one, do_one), (two, do_two)])
    )
    everyone = "네 식구" if kid2 else "세 식구"
    if ending == "one":
        tell(
            critic,
            (
                f"알겠어요. 그럼 이번에는 {one}[으로/로] 하고 {two}[은/는] 다음에 가요.",
                f"그렇게 가고 싶다면 제가 양보할게요. {one}[으로/로] 가요.",
            ),
            (
                f"알았어. 그럼 이번에는 {one}[으로/로] 하고 {two}[은/는] 다음에 가자.",
                f"그렇게 가고 싶다면 내가 양보할게. {one}[으로/로] 가자.",
            ),
        )
        tell(
            fan,
            ("와, 신난다! 고마워요.", "정말요? 제가 맛집을 찾아 놓을게요."),
            ("고마워. 후회 안 할 거야.", "좋아. 맛집은 내가 찾아 놓을게."),
        )
        s.summarize(
            f"{fan}[은/는] {one}에, {critic}[은/는] {two}에 가고 싶어 하지만 {critic}[이/가] 양보하여 {one}[으로/로] 가기로 합니다.",
            f"{everyone}[은/는] {holiday} 여행지를 의논합니다. {critic}[은/는] {because} 반대하다가 결국 {one}[으로/로] 가는 데 동의합니다.",
            f"{one}에서 {do_one}고 싶다는 {fan}의 의견대로 가족은 {holiday}에 {nights}[으로/로] {one} 여행을 가기로 합니다.",
        )
    elif ending == "two":
        s.say(
            parent,
            f"{two} 쪽이 더 낫겠다. 그리로 정하자.",
            f"듣고 보니 {two}[이/가] 좋겠네. {two}[으로/로] 가자.",
            f"그럼 {two}[으로/로] 결정. 불만 없지?",
        )
        tell(
            fan,
            ("그래요. 대신 맛있는 거 많이 먹어요.", f"그럼 {one}[은/는] 다음번에 꼭 가요."),
            ("그래. 대신 맛있는 거 많이 먹자.", f"그럼 {one}[은/는] 다음번에 꼭 가자."),
        )
        s.summarize(
            f"{fan}[이/가] {one}[을/를] 추천하지만 {critic}[은/는] {because} 반대합니다. 가족은 {two}[으로/로] 여행을 가기로 합니다.",
            f"{parent}[은/는] {holiday} 여행지를 {two}[으로/로] 정하고, {one}에 가고 싶던 {fan}도 따르기로 합니다.",
            f"{everyone}[은/는] {holiday}에 {nights} 동안 갈 곳을 의논한 끝에 {critic}[이/가] 말한 {two}[을/를] 고릅니다."
            if nights != "당일치기"
            else f"{everyone}[은/는] {holiday}에 당일치기로 갈 곳을 의논한 끝에 {critic}[이/가] 말한 {two}[을/를] 고릅니다.",
        )
    elif ending == "three":
        third = (
            kid2
            if kid2 and kid2 not in (fan, critic)
            else next(w for w in (mate, parent, kid) if w not in (fan, critic))
        )
        tell(
            third,
            (
                f"둘 다 말고 {three}[은/는] 어때요? {do_three}기 딱 좋대요.",
                f"그럼 중간을 찾아요. {three}에 가면 {do_three}고 쉴 수도 있잖아요.",
            ),
            (
                f"둘 다 말고 {three}[은/는] 어때? {do_three}기 딱 좋대.",
                f"그럼 중간을 찾자. {three}에 가면 {do_three}고 쉴 수도 있잖아.",
            ),
        )
        tell(
            fan,
            (f"{three}[이요/요]? 그건 좋아요.", "어, 그것도 괜찮은데요?"),
            (f"{three}? 그건 좋다.", "어, 그것도 괜찮은데?"),
        )
        tell(critic, ("저도 찬성이에요.", "거기라면 저도 좋아요."), ("나도 찬성.", "거기라면 나도 좋아."))
        s.summarize(
            f"{one}[과/와] {two}[을/를] 두고 의견이 갈리자 {third}[이/가] {three}[을/를] 제안하고 모두 찬성합니다.",
            f"{third}[은/는] {holiday}에 {three}에 가자고 합니다. 서로 다른 곳을 원하던 {fan}[과/와] {critic}도 동의합니다.",
            f"가족이 {holiday}에 {nights} 여행을 의논하다가 {one}도 {two}도 아닌 {three}[으로/로] 정합니다.",
        )
    elif ending == "vote":
        n = len(kids) + 2
        win = n - 1
        loser = critic if place == one else fan
        s.say(parent, f"그럼 손을 들자. {one}? 그리고 {two}?", f"다수결로 하자. {one} 손 들고, 다음은 {two}.")
        tell(
            kid if kid is not loser else mate,
            (
                f"{win} 대 1이네요. {place}[으로/로] 결정이에요!",
                f"와, {place}[이/가] {win}표, 다른 쪽은 1표예요.",
            ),
            (f"{win} 대 1이네. {place}[으로/로] 결정!", f"와, {place}[이/가] {win}표, 다른 쪽은 1표야."),
        )
        tell(
            loser,
            ("할 수 없죠. 다수결이니까 따를게요.", "저만 반대네요. 알겠어요."),
            ("할 수 없지. 다수결이니까 따를게.", "나만 반대네. 알았어."),
        )
        s.summarize(
            f"{everyone}[은/는] {one}[과/와] {two} 중에서 다수결로 여행지를 고르고 {place}[으로/로] 가기로 합니다.",
            f"{holiday} 여행지를 두고 {fan}[과/와] {critic}의 의견이 다르자 가족은 손을 들어 {place}[을/를] 선택하고 {loser}[은/는] 결과를 따릅니다.",
            f"{parent}[이/가] 다수결을 제안하여 {holiday} 여행지는 {place}[으로/로] 결정됩니다.",
        )
    elif ending == "lot":
        s.say(mate, "그럼 제비뽑기로 하자. 종이에 적을게.", "이럴 땐 제비뽑기가 최고지. 하나 뽑아 봐.")
        tell(
            kid,
            (f"제가 뽑을게요. 어, {place}[이에요/예요]!", f"두근두근하네요. {place}[이/가] 나왔어요!"),
            (f"내가 뽑을게. 어, {place}[이야/야]!", f"두근두근하네. {place}[이/가] 나왔어!"),
        )
        s.say(
            parent,
            f"좋아, 그럼 {place}[으로/로] 가서 {do}기로 하자.",
            f"결과에 따라야지. {place}에 가서 {do}자.",
        )
        s.summarize(
            f"{fan}[은/는] {one}, {critic}[은/는] {two}[을/를] 원해서 제비뽑기를 하고, 가족은 {place}에 가기로 합니다.",
            f"{everyone}[은/는] {holiday} 여행지를 제비뽑기로 정합니다. {kid}[이/가] 뽑은 곳은 {place}입니다.",
            f"의견이 나뉘자 {mate}[은/는] 제비뽑기를 하자고 하고, 그 결과 {holiday}에 {place}[으로/로] 가게 됩니다.",
        )
    elif ending == "postpone":
        day = s.rng.choice(["내일", "이번 주말", *WEEKDAYS])
        s.say(
            mate,
            f"오늘은 결론이 안 나겠다. {day}까지 각자 더 알아보고 다시 얘기하자.",
            f"숙소랑 차편도 봐야 하니까 {day}에 다시 정하자.",
        )
        tell(
            kid,
            (f"그럼 저는 {one} 쪽을 찾아볼게요.", "좋아요. 저도 조사해 올게요."),
            (f"그럼 나는 {one} 쪽을 찾아볼게.", "좋아. 나도 조사해 올게."),
        )
        s.say(parent, "그래, 사진도 좀 뽑아 와.", "좋아. 비용도 같이 알아보자.")
        s.summarize(
            f"{everyone}[은/는] {one}[과/와] {two} 중에 정하지 못하고 {day}에 다시 의논하기로 합니다.",
            f"{fan}[은/는] {one}에 가고 싶어 하지만 {critic}[은/는] {because} {two}[을/를] 권합니다. 결정은 {day}[으로/로] 미룹니다.",
            f"{holiday} 여행지를 두고 의견이 갈리자 {mate}[은/는] 더 알아본 뒤 {day}에 다시 이야기하자고 합니다.",
        )
    elif ending == "stay":
        reason, reported = s.rng.choice(
            [
                ("다음 달에 이사도 해야 하는데 돈이 너무 들어", "돈이 많이 든다며"),
                ("나는 그때 회사 일이 있을지도 몰라", "회사 일이 있을지 모른다며"),
                ("솔직히 나는 집에서 푹 쉬고 싶어", "집에서 쉬고 싶다며"),
                ("이제 와서 예약하려면 방도 없을걸", "방이 없을 것이라며"),
            ]
        )
        fun = s.pick(
            "마당에서 고기를 구워 먹",
            "동네 수영장에 가",
            "집에서 영화제를 열",
            "가까운 산에 오르",
            "시내에서 맛있는 걸 먹",
            "한강에서 자전거를 타",
        )
        s.say(mate, f"그런데 {reason}. 이번에는 여행 말고 {fun}는 게 어때?".replace("열는", "여는"))
        tell(
            kid,
            ("네? 여행 간다고 친구들한테 말했는데요.", "그럼 여행은 언제 가요?"),
            ("뭐? 여행 간다고 친구들한테 말했는데.", "그럼 여행은 언제 가?"),
        )
        s.say(parent, "여행은 다음에 꼭 가자. 약속할게.", "이번만 이해해 줘. 다음에는 더 멀리 가자.")
        tell(
            kid,
            ("알겠어요. 그것도 재밌겠네요.", "약속 꼭 지키셔야 해요."),
            ("알았어. 그것도 재밌겠다.", "약속 꼭 지켜야 해."),
        )
        s.summarize(
            f"가족이 {one}[과/와] {two}[을/를] 두고 의논하지만 {mate}[이/가] {reported} 반대하여 여행 대신 {fun}기로 합니다.",
            f"{mate}[은/는] {reported} {holiday} 여행을 미루자고 하고, {kid}[은/는] 아쉬워하면서도 받아들입니다.",
            f"{holiday} 여행은 다음으로 미뤄지고 {everyone}[은/는] 대신 {fun}기로 합니다.",
        )
    else:
        later = s.pick("내년 봄", "다음 연휴", "내년 설날", "내년 이맘때", "내년 가을", "내년 여름")
        s.say(
            parent,
            f"그럼 이번에는 {place}, {later}에는 {two if place == one else one}에 가면 되겠네.",
            f"싸울 것 없이 이번에 {place} 가고 {later}에 {two if place == one else one} 가자.",
        )
        tell(
            fan,
            ("그러면 공평하네요.", "두 번이나 가요? 좋아요!"),
            ("그러면 공평하네.", "두 번이나 가? 좋지."),
        )
        tell(critic, ("저도 좋아요.", "네, 그렇게 해요."), ("나도 좋아.", "응, 그렇게 하자."))
        rest = two if place == one else one
        s.summarize(
            f"{parent}[은/는] {holiday}에는 {place}, {later}에는 {rest}에 가자고 하고 {fan}[과/와] {critic}[은/는] 찬성합니다.",
            f"{one}[과/와] {two} 사이에서 고민하던 가족은 두 곳을 모두 가기로 하고, 먼저 {place}[을/를] 여행하기로 합니다.",
            f"{fan}[과/와] {critic}의 의견이 다르자 {everyone}[은/는] {place}에 먼저 가고 {rest}[은/는] {later}에 가기로 정합니다.",
        )
    if ending in ("one", "two", "three", "vote", "lot") and (long or s.chance(0.4)):
        if nights != "당일치기":
            s.say(mate, f"잠은 {lodging}에서 자는 게 어때?", f"그럼 숙소는 {lodging}[으로/로] 알아볼게.")
            tell(
                kid,
                ("좋아요. 방이 넓었으면 좋겠어요.", "네, 좋아요!", "텔레비전 있는 데로 해 주세요."),
                ("좋아. 방이 넓었으면 좋겠다.", "응, 좋아!", "텔레비전 있는 데로 해 줘."),
            )
        s.say(parent, f"갈 때는 {ride}[을/를] 타고 가자.", f"{ride} 타고 가면 편하겠지?")
        if kid2:
            tell(
                kid2,
                ("제가 간식을 챙길게요.", "네, 멀미약도 챙겨야겠네요."),
                ("내가 간식 챙길게.", "응, 멀미약도 챙겨야겠다."),
            )
        else:
            tell(kid, ("네, 빨리 가고 싶어요.", "벌써 기대돼요."), ("응, 빨리 가고 싶다.", "벌써 기대돼."))
        first, second, last = s.summaries
        s.summarize(
            f"{first} 갈 때는 {ride}[을/를] 타기로 합니다.",
            second,
            f"{last} 숙소는 {lodging}입니다." if nights != "당일치기" else last,
        )


# gift, least and most that each of the friends pays, in 10,000 won
GIFTS = [
    ("무선 이어폰", 3, 5),
    ("향수", 2, 4),
    ("지갑", 2, 5),
    ("머그잔 세트", 1, 1),
    ("텀블러", 1, 1),
    ("목도리", 1, 2),
    ("운동화", 3, 4),
    ("블루투스 스피커", 2, 4),
    ("보드게임", 1, 2),
    ("가습기", 1, 3),
    ("캠핑 의자", 1, 3),
    ("만년필", 1, 3),
    ("백팩", 2, 4),
    ("커피 그라인더", 2, 4),
    ("손목시계", 3, 6),
    ("무드등", 1, 1),
]
VENUES = [
    "한강 공원",
    "동네 파티 룸",
    "단골 고깃집",
    "보드게임 카페",
    "루프톱 카페",
    "볼링장",
    "노래방",
    "이탈리아 식당",
    "캠핑장",
    "떡볶이집",
    "공방 카페",
    "만화 카페",
    "중국집",
    "수제 버거집",
]
CAKES = [
    "딸기 케이크",
    "초코 케이크",
    "고구마 케이크",
    "치즈 케이크",
    "생크림 케이크",
    "당근 케이크",
    "아이스크림 케이크",
    "녹차 케이크",
    "떡 케이크",
    "블루베리 케이크",
    "티라미수",
    "망고 케이크",
]
PRETEXTS = [
    "회의가 있다",
    "같이 저녁을 먹자",
    "책을 빌려 달라",
    "산책을 하자",
    "이사를 도와 달라",
    "동아리 모임이 있다",
    "커피를 마시자",
    "상담할 일이 있다",
    "옷을 골라 달라",
    "사진을 찍어 달라",
    "발표 연습을 하자",
    "운동을 하자",
]


def surprise_party(s: Scene) -> None:
    """Three or four friends or colleagues plan a birthday in secret."""
    a, b, c = s.speaker(GIVEN), s.speaker(GIVEN), s.speaker(GIVEN)
    d = s.speaker(GIVEN) if s.chance(0.45) else None
    people = 4 if d else 3
    star = s.rng.choice([n for n in GIVEN if n not in s.used_names])
    who = s.level(f"{star} 씨", nick(star))
    day, at = (
        s.rng.choice([*WEEKDAYS, "다음 주 금요일", "다음 주 토요일", "이번 주 토요일"]),
        clock(s.rng, 17, 20),
    )
    (gift, least, most), (gift2, _, _) = s.rng.sample(GIFTS, 2)
    share = s.rng.randint(least, most)
    total = share * people
    venue, venue2 = s.some(VENUES, 2)
    cake, pretext = s.rng.choice(CAKES), s.rng.choice(PRETEXTS)
    s.topic = s.pick("깜짝 생일 파티", f"{star}의 생일 준비", "생일 선물과 파티 계획")
    both(
        s,
        a,
        (
            f"{day}[이/가] {who} 생일인 거 아시죠? 깜짝 파티 어때요?",
            f"잠깐 모여 보세요. {day}[이/가] {who} 생일이래요. 몰래 뭐 좀 준비할까요?",
            f"{who} 없을 때 얘기해요. {day} 생일인데 깜짝 파티 해 주고 싶어요.",
        ),
        (
            f"{day}[이/가] {who} 생일인 거 알지? 깜짝 파티 어때?",
            f"잠깐 모여 봐. {day}[이/가] {who} 생일이래. 몰래 뭐 좀 준비할까?",
            f"{who} 없을 때 얘기하자. {day} 생일인데 깜짝 파티 해 주고 싶어.",
        ),
    )
    both(
        s,
        b,
        (
            "벌써 그렇게 됐어요? 좋아요, 해요.",
            "당연히 해야죠. 작년에 저도 받았잖아요.",
            "좋은 생각이에요. 비밀은 꼭 지켜야 해요.",
        ),
        (
            "벌써 그렇게 됐어? 좋아, 하자.",
            "당연히 해야지. 작년에 나도 받았잖아.",
            "좋은 생각이다. 비밀은 꼭 지키자.",
        ),
    )
    if d:
        both(
            s,
            d,
            (
                "저도 끼워 주세요.",
                "저도 도울게요. 요리는 못해도 풍선은 잘 불어요.",
                "재미있겠네요. 저는 뭘 하면 될까요?",
            ),
            ("나도 끼워 줘.", "나도 도울게. 요리는 못해도 풍선은 잘 불어.", "재미있겠다. 난 뭘 하면 돼?"),
        )
    gift_first = s.chance(0.5)

    def talk_gift() -> None:
        both(
            s,
            c,
            (
                f"선물은 {gift} 어때요? {total}만 원이던데요.",
                f"제가 봐 둔 {gift}[이/가] 있어요. {total}만 원 정도 해요.",
            ),
            (
                f"선물은 {gift} 어때? {total}만 원이던데.",
                f"내가 봐 둔 {gift}[이/가] 있어. {total}만 원 정도 해.",
            ),
        )
        if s.chance(0.4):
            both(
                s,
                b,
                (f"{gift2}[은/는] 어때요? 그것도 좋아할 것 같은데요.",),
                (f"{gift2}[은/는] 어때? 그것도 좋아할 것 같은데.",),
            )
            both(
                s,
                c,
                (
                    f"{gift2}[은/는] 지난달에 새로 샀다고 들었어요.",
                    f"그건 이미 있대요. 그냥 {gift}[으로/로] 해요.",
                ),
                (f"{gift2}[은/는] 지난달에 새로 샀대.", f"그건 이미 있대. 그냥 {gift}[으로/로] 하자."),
            )
        both(
            s,
            a,
            (
                f"그럼 {people}명이서 {share}만 원씩 내면 되겠네요.",
                f"좋아요. 한 사람당 {share}만 원씩 모아요.",
            ),
            (f"그럼 {people}명이서 {share}만 원씩 내면 되겠네.", f"좋아. 한 사람당 {share}만 원씩 모으자."),
        )

    def talk_cake() -> None:
        both(
            s,
            b,
            ("케이크는 뭘로 할까요?", "케이크도 있어야겠죠?"),
            ("케이크는 뭘로 할까?", "케이크도 있어야겠지?"),
        )
        both(
            s,
            d or c,
            (
                f"{who}[이/가] {cake}[을/를] 제일 좋아해요. 제가 주문할게요.",
                f"제가 {cake}[을/를] 예약해 둘게요.",
            ),
            (f"{who}[이/가] {cake}[을/를] 제일 좋아해. 내가 주문할게.", f"내가 {cake}[을/를] 예약해 둘게."),
        )

    if gift_first:
        talk_gift()
    with_cake = s.chance(0.5)
    if with_cake:
        talk_cake()
    both(
        s,
        a,
        (
            f"장소는 {venue}[으로/로] 하고 {at}에 모이는 게 어때요?",
            f"{at}에 {venue}에서 하면 좋을 것 같아요.",
        ),
        (f"장소는 {venue}[으로/로] 하고 {at}에 모이는 게 어때?", f"{at}에 {venue}에서 하면 좋을 것 같아."),
    )
    if not gift_first:
        both(
            s,
            b,
            ("거기라면 분위기도 좋겠네요.", "좋아요. 그럼 선물은요?"),
            ("거기라면 분위기도 좋겠다.", "좋아. 그럼 선물은?"),
        )
        talk_gift()
    ending = s.pick("party", "booked", "away", "shy", "caught", "video")
    order_by = d or c
    if ending == "party":
        both(
            s,
            b,
            (f"{who}한테는 뭐라고 하고 데려오죠?", "당일에 어떻게 데려올 건데요?"),
            (f"{who}한테는 뭐라고 하고 데려오지?", "당일에 어떻게 데려올 건데?"),
        )
        both(
            s,
            c,
            (f"{pretext}고 하고 제가 데려올게요.", f"그건 제가 할게요. {pretext}고 하면 돼요."),
            (f"{pretext}고 하고 내가 데려올게.", f"그건 내가 할게. {pretext}고 하면 돼."),
        )
        both(
            s,
            a,
            ("완벽해요. 다들 입조심하세요.", "좋아요. 그럼 저는 풍선을 살게요."),
            ("완벽해. 다들 입조심해.", "좋아. 그럼 나는 풍선을 살게."),
        )
        s.summarize(
            f"세 사람은 {day} {at}에 {venue}에서 {star}의 깜짝 생일 파티를 하기로 하고, {c}[이/가] {star}[을/를] 데려오기로 합니다."
            if not d
            else f"네 사람은 {day} {at}에 {venue}에서 {star}의 깜짝 생일 파티를 하기로 하고, {c}[이/가] {star}[을/를] 데려오기로 합니다.",
            f"{a}[과/와] 친구들은 {star}의 생일 선물로 {gift}[을/를] 사려고 {share}만 원씩 내고, {venue}에서 파티를 열기로 합니다."
            if not s.polite
            else f"{a}[은/는] 사람들과 함께 {star}의 생일 선물로 {gift}[을/를] 사려고 {share}만 원씩 내고, {venue}에서 파티를 열기로 합니다.",
            f"{star}의 생일을 몰래 준비합니다. 선물은 {total}만 원인 {gift}[이고/고], {c}[은/는] {pretext}는 핑계로 {star}[을/를] {venue}에 데려올 예정입니다.",
        )
    elif ending == "booked":
        both(
            s,
            b,
            (
                f"어, 지금 찾아보니 {venue}[은/는] 그날 예약이 다 찼대요.",
                f"큰일이에요. {venue}[은/는] {day}에 자리가 없대요.",
            ),
            (
                f"어, 지금 찾아보니까 {venue}[은/는] 그날 예약이 다 찼대.",
                f"큰일이다. {venue}[은/는] {day}에 자리가 없대.",
            ),
        )
        if s.chance(0.5):
            both(
                s,
                c,
                (f"그럼 {venue2}[은/는] 어때요?", f"가까운 {venue2}[은/는] 비어 있을 거예요."),
                (f"그럼 {venue2}[은/는] 어때?", f"가까운 {venue2}[은/는] 비어 있을걸."),
            )
            both(
                s,
                a,
                (
                    f"좋아요. {venue2}[으로/로] 바꿔요. 시간은 그대로예요.",
                    f"지금 전화해 볼게요. 아, {venue2}[은/는] 된대요!",
                ),
                (
                    f"좋아. {venue2}[으로/로] 바꾸자. 시간은 그대로야.",
                    f"지금 전화해 볼게. 아, {venue2}[은/는] 된대!",
                ),
            )
            s.summarize(
                f"{star}의 생일 파티를 하려던 {venue}에 자리가 없어 {venue2}[으로/로] 장소를 바꿉니다.",
                f"{a}[은/는] {day}에 {star}의 깜짝 파티를 준비합니다. 장소는 {c}[이/가] 말한 {venue2}[으로/로] 정하고 선물로는 {gift}[을/를] 사기로 합니다.",
                f"{star}에게 줄 {gift}[을/를] 위해 {share}만 원씩 모으고, 예약이 찬 {venue} 대신 {venue2}에서 {at}에 모이기로 합니다.",
            )
        else:
            both(
                s,
                c,
                (
                    "그럼 저희 집에서 해요. 거실이 넓어서 괜찮아요.",
                    "차라리 우리 집으로 와요. 음식은 시키면 되죠.",
                ),
                (
                    "그럼 우리 집에서 하자. 거실이 넓어서 괜찮아.",
                    "차라리 우리 집으로 와. 음식은 시키면 되지.",
                ),
            )
            both(
                s,
                a,
                ("정말 괜찮으세요? 그럼 다 같이 치우고 갈게요.", "고마워요. 주소는 #Address# 맞죠?"),
                ("진짜 괜찮아? 그럼 다 같이 치우고 갈게.", "고마워. 주소는 #Address# 맞지?"),
            )
            both(
                s,
                c,
                ("네, 그렇게 해요.", "맞아요. 걱정 말고 오세요."),
                ("응, 그렇게 하자.", "맞아. 걱정 말고 와."),
            )
            s.summarize(
                f"{venue}[을/를] 예약할 수 없어 {star}의 깜짝 생일 파티를 {c}의 집에서 하기로 합니다.",
                f"{c}[은/는] 자리가 없는 {venue} 대신 자기 집에서 {star}의 생일 파티를 열자고 하고 {a}[은/는] 고마워합니다.",
                f"{day}에 있을 {star}의 생일 파티 장소가 {c}의 집으로 바뀝니다. 선물은 {share}만 원씩 모아 {gift}[을/를] 삽니다.",
            )
    elif ending == "away":
        trip, back = (
            s.pick("출장", "여행", "고향", "세미나", "연수"),
            s.rng.choice([x for x in WEEKDAYS if x not in day]),
        )
        both(
            s,
            b,
            (
                f"그런데 {who}, 그날 {trip} 간다고 하지 않았어요?",
                f"잠깐만요, {who}[은/는] {day}에 {trip} 가요.",
            ),
            (f"근데 {who}, 그날 {trip} 간다고 하지 않았어?", f"잠깐만, {who}[은/는] {day}에 {trip} 가잖아."),
        )
        both(
            s,
            a,
            ("아, 깜빡했네요. 그럼 언제가 좋을까요?", "맞다, 그랬죠. 어떡하죠?"),
            ("아, 깜빡했다. 그럼 언제가 좋을까?", "맞다, 그랬지. 어떡하지?"),
        )
        both(
            s,
            c,
            (
                f"그럼 다녀온 뒤에 {back}[으로/로] 미뤄요. 그러면 더 놀랄걸요.",
                f"돌아온 뒤에 {back}에 해요. 생일이 지나서 더 방심할 거예요.",
            ),
            (
                f"그럼 다녀온 뒤에 {back}[으로/로] 미루자. 그러면 더 놀랄걸.",
                f"돌아온 뒤에 {back}에 하자. 생일이 지나서 더 방심할걸.",
            ),
        )
        both(
            s,
            a,
            (f"좋아요. 그럼 {at} 그대로 하고 날짜만 바꿔요.",),
            (f"좋아. 그럼 {at} 그대로 하고 날짜만 바꾸자.",),
        )
        s.summarize(
            f"{star}에게 생일날 {trip} 일정이 있어서 깜짝 파티를 {back}[으로/로] 미루기로 합니다.",
            f"{a}[은/는] {day}에 {star}의 파티를 하려 했지만 {b}의 말을 듣고 {back} {at}[으로/로] 날짜를 바꿉니다.",
            f"{star}의 생일 선물로 {gift}[을/를] 사기로 하고, {venue}에서 열 파티는 {c}의 제안대로 {back}에 하기로 합니다.",
        )
    elif ending == "shy":
        both(
            s,
            b,
            (
                f"그런데 {who}[은/는] 깜짝 파티를 싫어한대요. 작년에 너무 당황했대요.",
                f"사실 {who}[이/가] 올해는 조용히 보내고 싶다고 했어요.",
            ),
            (
                f"근데 {who}[은/는] 깜짝 파티를 싫어한대. 작년에 너무 당황했대.",
                f"사실 {who}[이/가] 올해는 조용히 보내고 싶댔어.",
            ),
        )
        both(
            s,
            c,
            (f"그럼 파티는 하지 말고 {gift}만 주는 게 좋겠네요.", f"그렇다면 {gift}[이랑/랑] 편지만 줘요."),
            (f"그럼 파티는 하지 말고 {gift}만 주는 게 좋겠다.", f"그렇다면 {gift}[이랑/랑] 편지만 주자."),
        )
        both(
            s,
            a,
            ("아쉽지만 본인이 편한 게 제일이죠.", "네, 파티는 취소하고 그렇게 해요."),
            ("아쉽지만 본인이 편한 게 제일이지.", "그래, 파티는 취소하고 그렇게 하자."),
        )
        s.summarize(
            f"{b}[이/가] {star}의 생각을 알려 주자 깜짝 파티는 하지 않고 {gift}[을/를] 선물하기로 합니다.",
            f"{a}[은/는] {venue}에서 {star}의 깜짝 파티를 열고 싶어 했지만, 결국 파티를 취소하고 {share}만 원씩 모아 선물을 사기로 합니다.",
            f"{day} {star}의 생일에는 파티 대신 {total}만 원짜리 {gift}[을/를] 주기로 합니다.",
        )
    elif ending == "caught":
        last = d or b
        both(
            s,
            last,
            (f"쉿, 저기 {who} 와요!", f"조용히 해요. {who}[이/가] 이쪽으로 오고 있어요."),
            (f"쉿, 저기 {who} 온다!", f"조용히 해. {who}[이/가] 이쪽으로 오고 있어."),
        )
        if s.chance(0.5):
            cover = s.pick(
                "날씨", "어제 본 드라마", "주말 등산", "새로 생긴 빵집", "축구 경기", "시험", "점심 메뉴"
            )
            both(
                s,
                a,
                (f"다들 {cover} 얘기하는 척하세요. 나머지는 단체 대화방에서 정해요.",),
                (f"다들 {cover} 얘기하는 척해. 나머지는 단체 대화방에서 정하자.",),
            )
            both(
                s,
                c,
                (f"네, {who} 없는 방을 새로 만들게요.", "알겠어요. 제가 대화방을 만들게요."),
                (f"응, {who} 없는 방을 새로 만들게.", "알았어. 내가 대화방을 만들게."),
            )
            s.summarize(
                f"{day} {star}의 깜짝 생일 파티를 의논하던 중 {star}[이/가] 다가오자 {a}[은/는] {cover} 이야기를 하는 척하자고 합니다.",
                f"{a}[은/는] {at}에 {venue}에서 {star}의 생일 파티를 하자고 합니다. 들킬 뻔하자 나머지는 대화방에서 정하기로 합니다.",
                f"{star}에게 줄 {gift} 값을 {share}만 원씩 나누기로 하고, {star}[이/가] 나타나 나머지 계획은 {c}[이/가] 만들 대화방에서 이야기하기로 합니다.",
            )
        else:
            both(
                s,
                a,
                ("어떡하죠? 다 들은 것 같은 표정인데요.", "아, 눈이 마주쳤어요. 들킨 것 같아요."),
                ("어떡하지? 다 들은 표정인데.", "아, 눈이 마주쳤어. 들킨 것 같아."),
            )
            both(
                s,
                c,
                (
                    f"그럼 그냥 {who}한테 솔직하게 말하고 {venue}에 같이 가요.",
                    f"이왕 이렇게 된 거 다 말하고 {venue}에서 다 같이 놀아요.",
                ),
                (
                    f"그럼 그냥 {who}한테 솔직하게 말하고 {venue}에 같이 가자.",
                    f"이왕 이렇게 된 거 다 말하고 {venue}에서 다 같이 놀자.",
                ),
            )
            both(
                s,
                a,
                ("그래요. 선물만은 비밀로 해요.", "할 수 없죠. 그래도 선물은 말하지 마세요."),
                ("그래. 선물만은 비밀로 하자.", "할 수 없지. 그래도 선물은 말하지 마."),
            )
            s.summarize(
                f"{star}의 깜짝 파티 계획을 들킨 것 같아 솔직히 말하고 {venue}에 함께 가기로 하며, 선물만 비밀로 합니다.",
                f"{a}[은/는] {star}의 생일에 깜짝 파티를 하려 했지만 들킨 듯하자, {c}[은/는] 사실대로 말하자고 합니다.",
                f"{day} {star}의 생일 선물인 {gift}[은/는] 비밀로 하고, 파티 계획은 {star}에게 알리기로 합니다.",
            )
    else:
        both(
            s,
            c,
            (f"저는 그날 {at}에 일이 있어서 못 가요. 어쩌죠?", f"아, {at}[은/는] 제가 근무 시간이에요."),
            (f"나는 그날 {at}에 일이 있어서 못 가. 어쩌지?", f"아, {at}[은/는] 내가 근무 시간이야."),
        )
        plan = s.pick(
            "영상 편지를 찍어 보내",
            "영상 통화로 참여하",
            "축하 편지를 써서 미리 맡기",
            "노래를 녹음해서 보내",
        )
        both(
            s,
            b,
            (f"그럼 {c.name} 씨는 {plan}면 어때요?", f"괜찮아요. {plan}면 {who}도 감동할 거예요."),
            (f"그럼 너는 {plan}면 어때?", f"괜찮아. {plan}면 {who}도 감동할걸."),
        )
        both(
            s,
            c,
            ("좋은 생각이에요. 꼭 그렇게 할게요.", "네, 선물값도 같이 낼게요."),
            ("좋은 생각이다. 꼭 그렇게 할게.", "응, 선물값도 같이 낼게."),
        )
        both(
            s,
            a,
            ("좋아요. 그럼 파티는 예정대로 해요.", "그래요. 나머지는 제가 준비할게요."),
            ("좋아. 그럼 파티는 예정대로 하자.", "그래. 나머지는 내가 준비할게."),
        )
        s.summarize(
            f"{day} {at}에 {venue}에서 {star}의 깜짝 파티가 열립니다. 올 수 없는 {c}[은/는] {plan}기로 합니다.",
            f"{c}[은/는] {star}의 생일 파티에 가지 못하는 대신 {b}의 제안대로 {plan}기로 합니다. 선물은 {gift}입니다.",
            f"{a}[은/는] {venue}에서 {star}의 생일 파티를 준비하고, {share}만 원씩 모아 {gift}[을/를] 사자고 합니다. {c}[은/는] 참석하지 못합니다.",
        )
    if with_cake:
        first, second, last_one = s.summaries
        s.summarize(
            first,
            second,
            f"{last_one} 케이크는 {order_by}[이/가] {cake}[으로/로] 준비합니다."
            if ending not in ("shy",)
            else last_one,
        )


# kind, invented title
SHOWS = [
    ("영화", "별빛 우체국"),
    ("영화", "마지막 등대지기"),
    ("영화", "골목길 탐정"),
    ("영화", "우주 김밥"),
    ("영화", "겨울 정거장"),
    ("영화", "할머니의 레시피"),
    ("뮤지컬", "달의 정원"),
    ("뮤지컬", "푸른 기차"),
    ("뮤지컬", "거울 속의 왕"),
    ("연극", "옥탑방 사람들"),
    ("연극", "수상한 이웃"),
    ("연극", "비 오는 식당"),
    ("콘서트", "여름밤 재즈"),
    ("콘서트", "바람의 노래"),
    ("발레 공연", "숲의 요정"),
    ("인형극", "도깨비 시장"),
]
EXCUSES = [
    ("그날 갑자기 회의가 잡혔어요", "그날 갑자기 회의가 잡혔어", "갑작스러운 회의 때문에"),
    ("사촌 결혼식이 있는 걸 깜빡했어요", "사촌 결혼식이 있는 걸 깜빡했어", "사촌 결혼식 때문에"),
    ("어제부터 열이 나고 목이 아파요", "어제부터 열이 나고 목이 아파", "몸이 아파서"),
    ("아르바이트를 대신 해 주기로 했어요", "아르바이트를 대신 해 주기로 했어", "아르바이트 때문에"),
    ("부모님이 저희 집에 오신대요", "부모님이 우리 집에 오신대", "부모님 방문 때문에"),
    ("보고서 마감이 당겨졌어요", "보고서 마감이 당겨졌어", "보고서 마감 때문에"),
    ("치과 예약이 그때밖에 안 돼요", "치과 예약이 그때밖에 안 돼", "치과 예약 때문에"),
    ("동생 이사를 도와야 해요", "동생 이사를 도와야 해", "동생의 이사 때문에"),
    ("그날 야근을 해야 할 것 같아요", "그날 야근을 해야 할 것 같아", "야근 때문에"),
    ("고양이가 아파서 병원에 데려가야 해요", "고양이가 아파서 병원에 데려가야 해", "아픈 고양이 때문에"),
    ("면접 날짜가 겹쳤어요", "면접 날짜가 겹쳤어", "면접 때문에"),
    ("발목을 다쳐서 걷기가 힘들어요", "발목을 다쳐서 걷기가 힘들어", "발목을 다쳐서"),
]
SHOW_DAYS = [
    *WEEKDAYS,
    "이번 주 토요일",
    "이번 주 일요일",
    "다음 주 금요일",
    "다음 주 토요일",
    "다음 주 수요일",
]


def show_date(s: Scene) -> None:
    """Two or three people fix an evening out at a film or a performance, or have to change it."""
    a, b = s.speaker(GIVEN), s.speaker(GIVEN)
    c = s.speaker(GIVEN) if s.chance(0.3) else None
    (kind, title), (kind2, title2) = s.rng.sample(SHOWS, 2)
    day = s.rng.choice(SHOW_DAYS)
    day2 = s.rng.choice([d for d in SHOW_DAYS if d[-3:] != day[-3:]])
    at, at2 = clock(s.rng, 13, 19), clock(s.rng, 13, 20)
    place = s.rng.choice([p for p in PLACES if p not in ("제주", "경주")])
    sorry_polite, sorry_casual, because = s.rng.choice(EXCUSES)
    sorry = s.level(sorry_polite, sorry_casual)
    show, show2 = f"{kind} '{title}'", f"{kind2} '{title2}'"
    call = s.level(f"{b.name} 씨", f"{b.name}[아/야]")
    s.topic = s.pick(f"{kind} 약속", f"{kind} 관람 약속 변경", "공연과 영화 보기")
    if s.chance(0.5):
        _invite(s, a, b, c, call, show, show2, kind, day, day2, at, at2, place, because, sorry)
    else:
        _change(s, a, b, c, call, show, show2, kind, day, day2, at, at2, place, because, sorry)


def _invite(
    s: Scene, a: Speaker, b: Speaker, c: Speaker | None, call: str, show: str, show2: str, kind: str,
    day: str, day2: str, at: str, at2: str, place: str, because: str, sorry: str,
) -> None:  # fmt: skip
    s.topic = s.pick(f"{kind} 약속", f"{kind} 같이 보기", "관람 약속 잡기")
    both(
        s,
        a,
        (
            f"{call}, {day}에 {show} 보러 갈래요?",
            f"{call}, 혹시 {show} 봤어요? 안 봤으면 {day}에 같이 봐요.",
            f"{call}, {day}에 시간 있어요? {show} 보고 싶어서요.",
        ),
        (
            f"{call}, {day}에 {show} 보러 갈래?",
            f"{call}, 너 {show} 봤어? 안 봤으면 {day}에 같이 보자.",
            f"{call}, {day}에 시간 있어? {show} 보고 싶어서.",
        ),
    )
    ending = s.pick("yes", "other", "move", "no", "ticket")
    if ending != "other" and s.chance(0.4):
        both(
            s,
            b,
            ("그거 재미있대요?", "누가 나오는데요?", "저도 예고편 봤어요. 어떤 내용이에요?"),
            ("그거 재미있대?", "누가 나오는데?", "나도 예고편은 봤어. 어떤 내용이야?"),
        )
        both(
            s,
            a,
            ("친구가 봤는데 마지막에 울었대요.", "평이 정말 좋아요. 요즘 제일 인기래요."),
            ("친구가 봤는데 마지막에 울었대.", "평이 진짜 좋아. 요즘 제일 인기래."),
        )
    if c:
        both(
            s,
            c,
            ("저도 같이 가면 안 돼요?", "무슨 얘기예요? 저도 그거 보고 싶었는데요."),
            ("나도 같이 가면 안 돼?", "무슨 얘기야? 나도 그거 보고 싶었는데."),
        )
        both(
            s,
            a,
            ("그럼요. 같이 가면 더 좋죠.", "물론이죠. 셋이 가요."),
            ("당연하지. 같이 가면 더 좋지.", "물론이지. 셋이 가자."),
        )
    group = "세 사람은" if c else "두 사람은"
    if ending == "yes":
        both(
            s,
            b,
            (f"좋아요. {day} 몇 시요?", "저도 보고 싶었어요. 몇 시에 어디서 만나요?"),
            (f"좋아. {day} 몇 시?", "나도 보고 싶었어. 몇 시에 어디서 만나?"),
        )
        both(
            s,
            a,
            (f"{at} 표가 있으니까 그전에 {place}에서 봐요.", f"{at} 거로 예매할게요. {place}에서 만나요."),
            (f"{at} 표가 있으니까 그전에 {place}에서 보자.", f"{at} 거로 예매할게. {place}에서 만나."),
        )
        pay = s.chance(0.5)
        price = (
            f"{s.rng.randint(2, 9)}만 원"
            if kind != "영화"
            else s.pick("12,000원", "13,000원", "14,000원", "15,000원")
        )
        if pay:
            both(s, b, ("표는 얼마예요?", "표값은 얼마나 해요?"), ("표는 얼마야?", "표값은 얼마나 해?"))
            both(
                s,
                a,
                (
                    f"한 장에 {price}[이에요/예요]. 나중에 보내 주세요.",
                    f"{price}인데 저녁을 사 주면 안 받을게요.",
                ),
                (f"한 장에 {price}[이야/야]. 나중에 보내 줘.", f"{price}인데 저녁 사 주면 안 받을게."),
            )
        both(s, b, ("네, 그렇게 해요.", "알겠어요. 그날 봐요."), ("응, 그렇게 하자.", "알았어. 그날 봐."))
        extra = f" 표는 한 장에 {price}입니다." if pay else ""
        s.summarize(
            f"{group} {day}에 {place}에서 만나 {at}에 시작하는 {show}[을/를] 보기로 합니다.{extra}",
            f"{a}[은/는] {b}에게 {show}[을/를] 보자고 하고, {day}에 {place}에서 만나기로 약속합니다.",
            f"{b}[이/가] 함께 가겠다고 하자 {a}[은/는] {day} {at} {show} 표를 준비하겠다고 합니다.",
        )
        return
    if ending == "other":
        both(
            s,
            b,
            (
                f"그건 지난주에 봤어요. {show2}[은/는] 어때요?",
                f"저는 그런 내용은 좀 별로라서요. {show2} 보는 건 어때요?",
            ),
            (
                f"그건 지난주에 봤어. {show2}[은/는] 어때?",
                f"난 그런 내용은 좀 별로라서. {show2} 보는 건 어때?",
            ),
        )
        both(
            s,
            a,
            (f"그것도 좋죠. {at}에 {place} 괜찮아요?", f"좋아요. 그럼 {place}에서 {at}에 만나요."),
            (f"그것도 좋지. {at}에 {place} 괜찮아?", f"좋아. 그럼 {place}에서 {at}에 만나자."),
        )
        if c:
            both(
                s,
                c,
                ("저도 그거면 좋아요.", "저는 둘 다 보고 싶었어요."),
                ("나도 그거면 좋아.", "난 둘 다 보고 싶었어."),
            )
        both(
            s,
            b,
            ("네, 제가 예매할게요.", "좋아요. 예매하고 연락할게요."),
            ("응, 내가 예매할게.", "좋아. 예매하고 연락할게."),
        )
        s.summarize(
            f"{a}[은/는] {show}[을/를] 보자고 하지만 {b}[은/는] {show2}[을/를] 제안하고, {group} {day} {at}에 만나기로 합니다.",
            f"{group} {show} 대신 {show2}[을/를] 보기로 하고 {place}에서 만날 약속을 합니다.",
            f"{b}[이/가] {show2}[을/를] 권하자 {a}[은/는] 찬성합니다. 예매는 {b}[이/가] 하고 {at}에 {place}에서 만납니다.",
        )
    elif ending == "move":
        both(
            s,
            b,
            (f"보고 싶은데 {day}에는 안 돼요. {sorry}.", f"아쉽네요. {sorry}."),
            (f"보고 싶은데 {day}에는 안 돼. {sorry}.", f"아쉽다. {sorry}."),
        )
        both(
            s,
            a,
            (f"그럼 {day2}[은/는] 어때요?", f"{day2}[이면/면] 괜찮아요?"),
            (f"그럼 {day2}[은/는] 어때?", f"{day2}[이면/면] 괜찮아?"),
        )
        both(
            s,
            b,
            (
                f"네, 그날은 좋아요. {at2}에 {place}에서 봐요.",
                f"그날은 비어 있어요. {place}에서 {at2} 어때요?",
            ),
            (f"응, 그날은 좋아. {at2}에 {place}에서 보자.", f"그날은 비어 있어. {place}에서 {at2} 어때?"),
        )
        both(
            s,
            a,
            ("좋아요. 그때로 예매할게요.", "네, 그럼 그날 만나요."),
            ("좋아. 그때로 예매할게.", "응, 그럼 그날 만나."),
        )
        s.summarize(
            f"{b}[이/가] {because} {day}에는 안 된다고 하자 {group} {day2} {at2}에 {show}[을/를] 보기로 합니다.",
            f"{a}[은/는] {day}에 {show}[을/를] 보자고 제안하고, {b}의 사정에 맞추어 {day2}[으로/로] 정합니다.",
            f"{group} {show}[을/를] 보려고 {day2} {at2}에 {place}에서 만나기로 합니다.",
        )
    elif ending == "no":
        both(
            s,
            b,
            (f"미안해요. {sorry}.", f"정말 가고 싶은데 {sorry}."),
            (f"미안. {sorry}.", f"진짜 가고 싶은데 {sorry}."),
        )
        both(
            s,
            a,
            (f"{day2}에도 안 돼요?", f"그럼 {day2}[은/는] 어때요?"),
            (f"{day2}에도 안 돼?", f"그럼 {day2}[은/는] 어때?"),
        )
        both(
            s,
            b,
            (
                "당분간은 힘들 것 같아요. 먼저 보고 어땠는지 알려 줘요.",
                "그때도 확실하지 않아요. 저 빼고 봐요.",
            ),
            ("당분간은 힘들 것 같아. 먼저 보고 어땠는지 알려 줘.", "그때도 확실하지 않아. 나 빼고 봐."),
        )
        if c:
            both(
                s,
                c,
                ("그럼 우리 둘이 봐요.", "할 수 없네요. 둘이 가요."),
                ("그럼 우리 둘이 보자.", "할 수 없네. 둘이 가자."),
            )
        both(
            s,
            a,
            ("아쉽네요. 다음에는 꼭 같이 봐요.", "알겠어요. 다음 작품은 같이 봐요."),
            ("아쉽다. 다음에는 꼭 같이 보자.", "알았어. 다음 작품은 같이 보자."),
        )
        tail = f" {show}[은/는] {a}[과/와] {c}[이/가] 둘이 보기로 합니다." if c else ""
        s.summarize(
            f"{a}[이/가] {show}[을/를] 보자고 하지만 {b}[은/는] {because} 갈 수 없다고 합니다.{tail}",
            f"{b}[은/는] {because} {day}에도 {day2}에도 {show}[을/를] 보러 가기 어렵다고 거절합니다.",
            f"{a}[은/는] {day}에 {b}[과/와] {show}[을/를] 보고 싶어 하지만 함께 볼 날을 잡지 못합니다.",
        )
    else:
        n = "세" if c else "두"
        both(
            s,
            b,
            ("표가 비싸지 않아요?", "지금 예매하면 자리가 있을까요?"),
            ("표가 비싸지 않아?", "지금 예매하면 자리가 있을까?"),
        )
        source = s.pick("회사", "이모", "라디오 이벤트", "학교 선배", "은행", "형부", "거래처", "동호회")
        both(
            s,
            a,
            (f"{source}에서 초대권 {n} 장을 받았어요. 공짜예요.",)
            if source not in ("이모", "학교 선배", "형부")
            else (f"{source}한테 초대권 {n} 장을 받았어요. 공짜예요.",),
            (f"{source}에서 초대권 {n} 장을 받았어. 공짜야.",)
            if source not in ("이모", "학교 선배", "형부")
            else (f"{source}한테 초대권 {n} 장을 받았어. 공짜야.",),
        )
        meal = s.pick("저녁", "커피", "팝콘과 음료", "간식", "점심", "디저트")
        both(
            s,
            b,
            (f"정말요? 그럼 {meal}[은/는] 제가 살게요.", f"와, 고마워요. {meal}[은/는] 제가 낼게요."),
            (f"진짜? 그럼 {meal}[은/는] 내가 살게.", f"와, 고마워. {meal}[은/는] 내가 낼게."),
        )
        mail = s.chance(0.4)
        if mail:
            both(
                s,
                a,
                (f"좋아요. 표는 #Email#[으로/로] 보낼게요. {at}까지 {place}[으로/로] 오세요.",),
                (f"좋아. 표는 #Email#[으로/로] 보낼게. {at}까지 {place}[으로/로] 와.",),
            )
        else:
            both(
                s,
                a,
                (f"좋아요. {at}까지 {place}[으로/로] 오세요.", f"그럼 {place}에서 {at}에 봐요."),
                (f"좋아. {at}까지 {place}[으로/로] 와.", f"그럼 {place}에서 {at}에 보자."),
            )
        s.summarize(
            f"{a}[은/는] {source}에서 받은 초대권으로 {b}[과/와] {show}[을/를] 보기로 하고, {b}[은/는] {meal}[을/를] 사기로 합니다."
            if source not in ("이모", "학교 선배", "형부")
            else f"{a}[은/는] {source}에게 받은 초대권으로 {b}[과/와] {show}[을/를] 보기로 하고, {b}[은/는] {meal}[을/를] 사기로 합니다.",
            f"{group} 초대권으로 {day}에 {show}[을/를] 보기로 하고 {at}에 {place}에서 만나기로 합니다.",
            f"{show} 초대권을 받은 {a}[이/가] {b}에게 같이 가자고 합니다. {b}[은/는] 고마워하며 {meal}[을/를] 내겠다고 합니다.",
        )


def _change(
    s: Scene, a: Speaker, b: Speaker, c: Speaker | None, call: str, show: str, show2: str, kind: str,
    day: str, day2: str, at: str, at2: str, place: str, because: str, sorry: str,
) -> None:  # fmt: skip
    s.topic = s.pick(f"{kind} 약속 변경", "관람 약속 바꾸기", f"{kind} 예매 변경")
    both(
        s,
        a,
        (
            f"{call}, 우리 {day}에 {show} 보기로 한 거 있잖아요. 정말 미안한데 {sorry}.",
            f"{call}, 미안해요. {day}에 {show} 보러 못 갈 것 같아요. {sorry}.",
        ),
        (
            f"{call}, 우리 {day}에 {show} 보기로 한 거 있잖아. 진짜 미안한데 {sorry}.",
            f"{call}, 미안해. {day}에 {show} 보러 못 갈 것 같아. {sorry}.",
        ),
    )
    both(
        s,
        b,
        (
            "정말요? 기대하고 있었는데요.",
            "아, 그래요? 그럼 할 수 없죠.",
            "괜찮아요. 그런데 표는 벌써 예매했는데요.",
        ),
        ("정말? 기대하고 있었는데.", "아, 그래? 그럼 할 수 없지.", "괜찮아. 근데 표는 벌써 예매했는데."),
    )
    if c:
        both(
            s,
            c,
            ("이를 어째요. 저도 그날 겨우 시간을 냈는데요.", "일이 그렇게 됐으면 어쩔 수 없죠."),
            ("이를 어째. 나도 그날 겨우 시간 냈는데.", "일이 그렇게 됐으면 어쩔 수 없지."),
        )
    unwell = because in ("몸이 아파서", "아픈 고양이 때문에", "발목을 다쳐서")
    ending = s.pick("date", "refund", "friend", "film", "fee", *([] if unwell else ["earlier"]))
    group = "세 사람은" if c else "두 사람은"
    if ending == "date":
        both(
            s,
            a,
            (
                f"혹시 {day2} {at2}[으로/로] 바꿀 수 있을까요?",
                f"{day2}[은/는] 어때요? {at2} 회차도 있더라고요.",
            ),
            (f"혹시 {day2} {at2}[으로/로] 바꿀 수 있을까?", f"{day2}[은/는] 어때? {at2} 회차도 있더라."),
        )
        if s.chance(0.4):
            both(
                s,
                b,
                ("자리가 남아 있을까요?", "지금도 바꿀 수 있나요?"),
                ("자리가 남아 있을까?", "지금도 바꿀 수 있나?"),
            )
            both(
                s,
                a,
                ("앱에서 보니까 뒷자리는 아직 있어요.", "네, 전날까지는 수수료도 없대요."),
                ("앱에서 보니까 뒷자리는 아직 있어.", "응, 전날까지는 수수료도 없대."),
            )
        both(
            s,
            b,
            ("저도 그날 괜찮아요. 제가 바꿔 놓을게요.", "좋아요. 지금 바로 변경할게요."),
            ("나도 그날 괜찮아. 내가 바꿔 놓을게.", "좋아. 지금 바로 변경할게."),
        )
        both(s, a, (f"고마워요. 그럼 {place}에서 봐요.",), (f"고마워. 그럼 {place}에서 보자.",))
        s.summarize(
            f"{a}[이/가] {because} {day}에 갈 수 없게 되어 {show} 관람을 {day2} {at2}[으로/로] 바꿉니다.",
            f"{group} {show} 약속을 {day}에서 {day2}[으로/로] 옮기고 {place}에서 만나기로 합니다.",
            f"{b}[은/는] {a}의 부탁으로 {show} 예매를 {day2} {at2} 표로 변경하기로 합니다.",
        )
    elif ending == "earlier":
        both(
            s,
            b,
            ("그럼 아예 앞당기는 건 어때요?", "미루지 말고 오늘 보면 안 돼요?"),
            ("그럼 아예 앞당기는 건 어때?", "미루지 말고 오늘 보면 안 돼?"),
        )
        both(
            s,
            a,
            (f"오늘이요? {at2} 이후면 될 것 같아요.", f"오늘 {at2}[이라면/라면] 저도 괜찮아요."),
            (f"오늘? {at2} 이후면 될 것 같아.", f"오늘 {at2}[이라면/라면] 나도 괜찮아."),
        )
        both(
            s,
            b,
            (
                f"그럼 오늘 {place}[으로/로] 오세요. 표를 바꿔 놓을게요.",
                f"좋아요. 바로 바꿀게요. {place}에서 봐요.",
            ),
            (f"그럼 오늘 {place}[으로/로] 와. 표 바꿔 놓을게.", f"좋아. 바로 바꿀게. {place}에서 보자."),
        )
        both(
            s,
            a,
            ("네, 금방 준비하고 나갈게요.", "고마워요. 저녁은 제가 살게요."),
            ("응, 금방 준비하고 나갈게.", "고마워. 저녁은 내가 살게."),
        )
        s.summarize(
            f"{a}[이/가] {because} {day} 약속을 지키지 못하게 되자 {group} 오늘 {show}[을/를] 보기로 합니다.",
            f"{b}[은/는] {show} 관람을 미루는 대신 오늘 보자고 제안하고, {a}[은/는] {place}[으로/로] 가기로 합니다.",
            f"{group} {day}에 보려던 {show}[을/를] 오늘 {at2} 무렵 {place}에서 보기로 합니다.",
        )
    elif ending == "refund":
        both(
            s,
            a,
            ("이번에는 취소하는 게 좋겠어요. 표값은 제가 물어 줄게요.", "예매한 표는 취소해 줄 수 있어요?"),
            ("이번에는 취소하는 게 좋겠어. 표값은 내가 물어 줄게.", "예매한 표는 취소해 줄 수 있어?"),
        )
        both(
            s,
            b,
            (
                f"지금 취소하면 전액 환불된대요. {kind}[은/는] 다음에 봐요.",
                f"아직 환불 기간이라 괜찮아요. {kind}[은/는] 나중에 보죠.",
            ),
            (
                f"지금 취소하면 전액 환불된대. {kind}[은/는] 다음에 보자.",
                f"아직 환불 기간이라 괜찮아. {kind}[은/는] 나중에 보지, 뭐.",
            ),
        )
        both(
            s,
            a,
            ("이해해 줘서 고마워요.", "다행이네요. 다음에는 제가 예매할게요."),
            ("이해해 줘서 고마워.", "다행이다. 다음에는 내가 예매할게."),
        )
        s.summarize(
            f"{a}[이/가] {because} {day}에 {show}[을/를] 볼 수 없어 {b}[은/는] 표를 취소하고 환불받기로 합니다.",
            f"{group} {day}의 {show} 약속을 취소합니다. {b}[은/는] 환불이 된다며 다음에 보자고 합니다.",
            f"{a}[은/는] {b}에게 {show}[을/를] 보러 가지 못한다고 사과하고, 표는 환불하기로 합니다.",
        )
    elif ending == "friend":
        sub = s.rng.choice([n for n in GIVEN if n not in s.used_names])
        sub_said = s.level(f"{sub} 씨", nick(sub))
        both(
            s,
            a,
            (
                f"제 표는 {sub_said}한테 주면 어때요? 보고 싶다고 했거든요.",
                f"저 대신 {sub_said}[과/와] 가는 건 어때요?",
            ),
            (
                f"내 표는 {sub_said}한테 주면 어때? 보고 싶다고 했거든.",
                f"나 대신 {sub_said}[이랑/랑] 가는 건 어때?",
            ),
        )
        if s.chance(0.6):
            both(
                s,
                b,
                ("그럼 지금 전화해서 물어볼게요.", "좋은 생각이네요. 바로 연락해 볼게요."),
                ("그럼 지금 전화해서 물어볼게.", "좋은 생각이네. 바로 연락해 볼게."),
            )
            both(
                s,
                a,
                ("네, 저도 말해 둘게요. 재미있게 보고 와요.", "고마워요. 보고 나서 감상 들려줘요."),
                ("응, 나도 말해 둘게. 재미있게 보고 와.", "고마워. 보고 나서 감상 들려줘."),
            )
            s.summarize(
                f"{because} 못 가는 {a}[은/는] {show} 표를 {sub}에게 주자고 하고, {b}[은/는] 연락해 보기로 합니다.",
                f"{b}[은/는] {day}에 {a} 대신 {sub}[과/와] {show}[을/를] 보려고 연락하기로 합니다.",
                f"{a}[은/는] {day} {show} 약속을 지키지 못하게 되어 {sub}[을/를] 대신 추천합니다.",
            )
        else:
            both(
                s,
                b,
                (
                    f"저는 {sub_said}[과/와] 별로 안 친해요. 그냥 다음에 같이 봐요.",
                    f"그건 좀 어색해요. {sub_said} 말고 나중에 같이 봐요.",
                ),
                (
                    f"난 {sub_said}[이랑/랑] 별로 안 친해. 그냥 다음에 같이 보자.",
                    f"그건 좀 어색해. {sub_said} 말고 나중에 너랑 볼래.",
                ),
            )
            both(
                s,
                a,
                ("그래요. 시간이 나면 바로 연락할게요.", "알겠어요. 미안하니까 밥 살게요."),
                ("그래. 시간 나면 바로 연락할게.", "알았어. 미안하니까 밥 살게."),
            )
            s.summarize(
                f"{a}[은/는] 자기 대신 {sub}[과/와] {show}[을/를] 보라고 하지만 {b}[은/는] 거절하고 다음에 보자고 합니다.",
                f"{because} {day} 약속을 못 지키게 된 {a}[은/는] {sub}[을/를] 추천하지만 {b}[은/는] 내키지 않아 합니다.",
                f"{b}[은/는] {sub}[과/와] 가는 대신 나중에 {a}[과/와] {show}[을/를] 보기로 합니다.",
            )
    elif ending == "film":
        both(
            s,
            a,
            (
                f"대신 {day2}에 {show2} 보는 건 어때요? {kind}[은/는] 그날이 마지막이라서요.",
                f"그날 말고 {day2}에 {show2}[을/를] 같이 보고 싶은데 어때요?",
            ),
            (
                f"대신 {day2}에 {show2} 보는 건 어때? {kind}[은/는] 그날이 마지막이라서.",
                f"그날 말고 {day2}에 {show2}[을/를] 같이 보고 싶은데 어때?",
            ),
        )
        both(
            s,
            b,
            (f"그것도 재미있겠네요. {at2} 어때요?", f"좋아요. {at2}에 {place}에서 만나요."),
            (f"그것도 재미있겠네. {at2} 어때?", f"좋아. {at2}에 {place}에서 만나자."),
        )
        both(
            s,
            a,
            (f"네, {at2} 표로 끊을게요. 이번에는 제가 낼게요.",),
            (f"응, {at2} 표로 끊을게. 이번에는 내가 낼게.",),
        )
        s.summarize(
            f"{a}[이/가] {because} {show}[을/를] 못 보게 되어 {group} {day2}에 {show2}[을/를] 보기로 합니다.",
            f"{a}[은/는] {day} 약속을 취소하는 대신 {day2} {at2}에 {show2}[을/를] 보자고 하고 표값을 내기로 합니다.",
            f"{group} {show} 대신 {show2}[을/를] {day2} {at2}에 보기로 약속을 바꿉니다.",
        )
    else:
        fee = s.pick("1,000원", "2,000원", "4,000원", "5,000원", "8,000원", "만 원", "12,000원")
        both(
            s,
            b,
            (f"지금 취소하면 수수료가 {fee}이에요.", f"취소 수수료 {fee}을 내야 하던데요."),
            (f"지금 취소하면 수수료가 {fee}이야.", f"취소 수수료 {fee}을 내야 하던데."),
        )
        both(
            s,
            a,
            ("제 잘못이니까 수수료는 제가 보낼게요.", "그건 당연히 제가 내야죠."),
            ("내 잘못이니까 수수료는 내가 보낼게.", "그건 당연히 내가 내야지."),
        )
        if s.chance(0.5):
            both(
                s,
                b,
                ("아니에요. 반씩 내요. 서로 편하게요.", "다 내지 말고 절반만 보내요."),
                ("아니야. 반씩 내자. 서로 편하게.", "다 내지 말고 절반만 보내."),
            )
            both(
                s,
                a,
                ("고마워요. 꼭 다시 약속 잡아요.", "정말 미안하고 고마워요."),
                ("고마워. 꼭 다시 약속 잡자.", "진짜 미안하고 고마워."),
            )
            s.summarize(
                f"{a}[이/가] {because} {day}의 {show} 약속을 취소하고, 수수료 {fee}은 {b}[과/와] 반씩 내기로 합니다.",
                f"{b}[은/는] {show} 취소 수수료 {fee}을 모두 내겠다는 {a}에게 절반만 내라고 합니다.",
                f"{day}에 {show}[을/를] 보려던 약속이 취소되고, {a}[과/와] {b}[은/는] {fee}의 수수료를 나누어 냅니다.",
            )
        else:
            both(
                s,
                b,
                ("그래요. 그럼 취소하고 문자 줄게요.", "네, 다음에 시간 될 때 다시 잡아요."),
                ("그래. 그럼 취소하고 문자 줄게.", "응, 다음에 시간 될 때 다시 잡자."),
            )
            s.summarize(
                f"{a}[은/는] {because} {show}[을/를] 보러 갈 수 없게 되어 취소 수수료 {fee}을 내기로 합니다.",
                f"{b}[이/가] 예매한 {day}의 {show} 표를 취소하며, {fee}의 수수료는 {a}[이/가] 부담합니다.",
                f"{day} {show} 약속이 취소됩니다. {a}[은/는] 자기 잘못이라며 수수료 {fee}을 내겠다고 합니다.",
            )


SITUATIONS = [family_trip, surprise_party, show_date]
