"""Texts that look like keys and passwords; each holds a canary that must appear nowhere."""

CANARY = "canary7QxSECRET"
SECRETS = (
    f"https://user:{CANARY}@host.example/v1",
    f"https://{CANARY}@host.example/v1",
    f"//user:{CANARY}@host.example",
    f"user:{CANARY}@host.example:8080",
    f"https://host.example/v1?api_key={CANARY}",
    f"https://host.example/v1#{CANARY}",
    f"host.example/v1?key={CANARY}",
    f"api-key={CANARY}",
    f"SOLAR_API_KEY={CANARY}",
    f"Authorization: {CANARY}",
    f"Bearer {CANARY}",
    f"bearer {CANARY.lower()}",
    f"-----BEGIN RSA PRIVATE KEY-----{CANARY}",
    f"AKIA{'X9' * 8}{CANARY}",
    f"sk-{CANARY}",
    f"sk-proj-{CANARY}",
    f"up_{CANARY}",
    f"hf_{CANARY}",
    f"wandb_v1_{CANARY}",
    f"ghp_{CANARY}",
    f"['x', 'hf_{CANARY}']",
    f"x,sk-{CANARY}",
    f"{CANARY}{CANARY}",
    f"eyJhbGciOi{CANARY}",
)
