"""Names, times, prices and other values that any situation may draw from."""

import random

GIVEN = [
    "민수",
    "지호",
    "서연",
    "하늘",
    "유진",
    "도윤",
    "예린",
    "준서",
    "수빈",
    "태현",
    "은지",
    "현우",
    "소영",
    "재민",
    "다은",
    "성훈",
    "미경",
    "동욱",
    "나래",
    "기범",
    "세아",
    "윤호",
    "보람",
    "정우",
    "혜진",
    "승민",
    "아름",
    "건우",
    "채원",
    "영호",
    "지수",
    "민재",
    "가영",
    "우진",
    "선아",
    "규리",
    "상철",
    "효주",
    "진우",
    "라희",
    "해인",
    "두리",
    "찬영",
    "서진",
    "경아",
    "호준",
    "말숙",
    "연우",
    "태오",
    "시은",
    "주원",
    "슬기",
    "한결",
    "새롬",
    "원석",
    "지안",
    "은우",
    "별이",
    "도현",
    "가람",
]
FAMILY = [
    "김",
    "이",
    "박",
    "최",
    "정",
    "강",
    "조",
    "윤",
    "장",
    "임",
    "한",
    "오",
    "서",
    "신",
    "권",
    "황",
    "안",
    "송",
    "류",
    "홍",
]
FULL_NAMES = [f + g for f in FAMILY for g in GIVEN if g not in ("별이", "두리")]
WEEKDAYS = ["월요일", "화요일", "수요일", "목요일", "금요일", "토요일", "일요일"]
DAYS = ["오늘", "내일", "모레", "이번 주말", "다음 주", *WEEKDAYS]
NATIVE_HOURS = ["한", "두", "세", "네", "다섯", "여섯", "일곱", "여덟", "아홉", "열", "열한", "열두"]
PLACES = [
    "강남역",
    "홍대입구",
    "시청",
    "서울역",
    "부산역",
    "광화문",
    "여의도",
    "잠실",
    "수원역",
    "대전역",
    "해운대",
    "명동",
    "종로",
    "신촌",
    "건대입구",
    "성수동",
    "이태원",
    "판교",
    "일산",
    "송도",
    "전주",
    "경주",
    "강릉",
    "제주",
    "속초",
    "여수",
    "춘천",
    "인사동",
    "남대문",
    "동대문",
]


def clock(rng: random.Random, first: int = 9, last: int = 20) -> str:
    """A time of day such as "오후 세 시 반", "오전 10시 30분" or "저녁 7시", between two hours of 24."""
    hour, minute = rng.randint(first, last), rng.choice([0, 0, 0, 10, 20, 30, 30, 40, 50])
    part = "오전" if hour < 12 else "오후" if hour < 18 or rng.random() < 0.4 else "저녁"
    if hour >= 22:
        part = "밤"
    twelve = (hour - 1) % 12 + 1
    if minute in (0, 30) and rng.random() < 0.5:
        return f"{part} {NATIVE_HOURS[twelve - 1]} 시" + (" 반" if minute else "")
    return f"{part} {twelve}시" + (f" {minute}분" if minute else "")


def won(rng: random.Random, low: int, high: int, step: int = 500) -> str:
    """A price in won with thousands separators, a multiple of step between low and high."""
    return f"{rng.randrange(low, high + 1, step):,}원"


def month_day(rng: random.Random) -> str:
    """A date such as "4월 17일"."""
    return f"{rng.randint(1, 12)}월 {rng.randint(1, 28)}일"
