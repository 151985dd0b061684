from .flows.photo import work as photo_work
from .flows.selfie import work as selfie_work
from .flows.upkeep import sweep

__all__ = ["photo_work", "selfie_work", "sweep"]
