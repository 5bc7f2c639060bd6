"""Command lines that the help of a verb ends with; read only when help is asked for."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, ...]] = {
    "trace ls": (
        "skerry trace ls --app payments --errors",
        "skerry trace ls --slower 200ms --since 1h",
        "skerry trace ls --where http.response.status_code=503 --json",
    ),
    "trace show": (
        "skerry trace show 4bf92f3577b34da6a3ce929d0e0e4736",
        "skerry trace show 4bf92f3577b34da6a3ce929d0e0e4736 --attributes",
    ),
    "errors ls": ("skerry errors ls", "skerry errors ls --app payments --state regressed"),
    "errors show": ("skerry errors show f4b8ad",),
    "errors resolve": ("skerry errors resolve f4b8ad --next-release",),
    "errors reopen": ("skerry errors reopen f4b8ad",),
    "objectives": ("skerry objectives", "skerry objectives --json"),
    "alerts": ("skerry alerts", "skerry alerts --all"),
    "map": ("skerry map", "skerry map --since 1h --json"),
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
    "stop": ("skerry stop quotes",),
    "start": ("skerry start quotes",),
    "console": ("skerry console", "skerry console --open"),
    "call": (
        "skerry call schools.get_school school_id=ku-edu-tr --verbose",
        "skerry call quotes.create_quote school_id=ku-edu-tr amount=900.00 pay_in=EUR",
        "skerry call quotes.create_quote --json @quote.json",
        "skerry call quotes.create_quote pay_in=USD --json - < quote.json",
        "skerry call bank.read_statements --data @statement.xml",
    ),
    "bus ls": ("skerry bus ls", "skerry bus ls --bus amqp://user:password@localhost/tuition"),
    "bus peek": (
        "skerry bus peek ledger.book_payment -n 3",
        "skerry bus peek ledger.book_payment --dead --stack",
    ),
    "bus dead": ("skerry bus dead", "skerry bus dead ledger.book_payment --json"),
    "bus tail": ("skerry bus tail", "skerry bus tail payments.settled --json | jq .body"),
    "bus publish": (
        'skerry bus publish payments.settled --json \'{"payment_id": "p1"}\' --key p1',
        "skerry bus publish payments.settled --json - --key /payment_id < settled.ndjson",
        "skerry bus publish reports.due --json @due.json --delay 10m",
    ),
    "bus redrive": (
        "skerry bus redrive ledger.book_payment --all --rate 100/s",
        "skerry bus redrive ledger.book_payment --where reason~timeout --topic payments.settled",
        "skerry bus redrive ledger.book_payment --error KeyError --set /currency=EUR",
        "skerry bus redrive ledger.book_payment --id 019a6c1e-7b1a-7000-8000-000000000000 --edit",
    ),
    "bus purge": ("skerry bus purge ledger.book_payment --dead --yes",),
    "bus forget": ("skerry bus forget ledger.old_handler --yes",),
    "bus relay": (
        "skerry bus relay --app shop --database postgresql://shop@localhost/shop",
        "skerry bus relay --app shop --bus amqp://user:password@localhost/tuition --once",
    ),
    "tables apply": ("skerry tables apply --database postgresql://shop@localhost/shop",),
    "tables sql": ("skerry tables sql postgresql", "skerry tables sql sqlite --from 1"),
    "tables alembic": (
        "skerry tables alembic migrations/versions/skerry_0002.py --after 4f1c09a7e2b1",
    ),
    "stack": (
        "skerry stack quotes --endpoint create_quote",
        "skerry stack ledger --handler book_payment",
        "skerry stack quotes --client schools",
    ),
    "contract show": ("skerry contract show quotes", "skerry contract show payments --events"),
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
    "journey ls": ("skerry journey ls", "skerry journey ls --path shop.journeys --json"),
    "journey runs": (
        "skerry journey runs",
        "skerry journey runs pay_tuition --failed --json | jq '.[].error.message'",
    ),
    "journey show": ("skerry journey show 1a207e679528dc85",),
    "journey run": (
        "skerry journey run",
        "skerry journey run pay_tuition --repeat 10",
        "skerry journey run --in-process",
        "skerry journey run --url front=https://staging.example --json | jq '.[].trace'",
    ),
    "completion": ("skerry completion bash", "skerry completion fish"),
    "version": ("skerry version --json",),
}
