"""What settings have in common: frozen, closed, finite."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A frozen, closed model."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
