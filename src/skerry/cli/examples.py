"""Command lines that the help of a verb ends with; read only when help is asked for."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, ...]] = {
    "up": (
        "skerry up",
        "skerry up --detach --only quotes,schools",
        "skerry up --file together.toml",
    ),
    "down": ("skerry down",),
    "ps": (
        "skerry ps",
        "skerry ps --watch",
        "skerry ps --json | jq -r '.instances[].url'",
    ),
    "logs": (
        "skerry logs quotes schools",
        "skerry logs --follow --lines 0",
        "skerry logs --json quotes-2",
    ),
    "restart": ("skerry restart quotes",),
    "scale": ("skerry scale quotes 3",),
    "call": (
        "skerry call schools.get_school school_id=ku-edu-tr --verbose",
        "skerry call quotes.create_quote school_id=ku-edu-tr amount=900.00 pay_in=EUR",
        "skerry call quotes.create_quote --json @quote.json",
        "skerry call quotes.create_quote pay_in=USD --json - < quote.json",
        "skerry call bank.read_statements --data @statement.xml",
    ),
    "stack": (
        "skerry stack quotes --endpoint create_quote",
        "skerry stack quotes --client schools",
    ),
    "contract show": ("skerry contract show quotes",),
    "contract export": (
        "skerry contract export quotes",
        "skerry contract export quotes - | jq .info",
    ),
    "client add": (
        "skerry client add schools",
        "skerry client add https://api.example.com/openapi.json --name example",
        "skerry client add openapi.yaml vendor/example.py --plain",
    ),
    "client update": (
        "skerry client update",
        "skerry client update quotes/quotes/clients/schools.py",
    ),
    "client check": ("skerry client check quotes payments",),
    "new fleet": ("skerry new fleet harbour",),
    "new app": ("skerry new app refunds",),
    "init": ("skerry init", "skerry init ../shop --overwrite"),
    "run": ("skerry run quotes.app:app", "skerry run app:app --port 0"),
    "doctor": ("skerry doctor",),
    "completion": ("skerry completion bash", "skerry completion fish"),
    "version": ("skerry version --json",),
}
