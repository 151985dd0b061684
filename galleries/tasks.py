from .flows.delivery import work as delivery_work
from .flows.grouping import work as grouping_work
from .flows.mail import work as mail_work
from .flows.notice import work as notice_work
from .flows.photo import work as photo_work
from .flows.selfie import work as selfie_work
from .flows.upkeep import sweep

__all__ = ["delivery_work", "grouping_work", "mail_work", "notice_work", "photo_work", "selfie_work", "sweep"]
