"""FastAPI as its tutorial writes it."""

from __future__ import annotations

from decimal import Decimal

from fastapi import FastAPI
from pydantic import BaseModel, Field


class NewQuote(BaseModel):
    school_id: str
    amount: Decimal = Field(gt=0)
    pay_in: str


class Quote(BaseModel):
    id: str
    rate: Decimal
    to_pay: Decimal


RATE = Decimal("1.0845")
app = FastAPI()


@app.post("/quotes", status_code=201)
async def create_quote(new: NewQuote) -> Quote:
    to_pay = (new.amount * RATE).quantize(Decimal("0.01"))
    return Quote(id=new.school_id, rate=RATE, to_pay=to_pay)
