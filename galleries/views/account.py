"""The front door, and the first administrator. Signing in and up is allauth's (templates/account)."""

import io
from typing import Any

import segno
from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from django.contrib import messages
from django.contrib.auth import login, logout
from django.core.mail import EmailMessage
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from galleries import access
from galleries.access import Viewer
from galleries.errors import Refusal
from galleries.flows import account as account_flow
from galleries.flows import deed, guessing, letter
from galleries.flows import invitation as invitation_flow
from galleries.forms import CloseAccountForm, FirstAdminForm
from galleries.models import Mail, vault
from galleries.models.account import first_admin_wanted, make_first_admin
from galleries.models.deed import Verb

from .page import Request, owners_page, page, refused, told_by

# What allauth calls a mail -> its kind, and where the address stands that it is about.
_LETTERS = {
    "email_confirmation": (Mail.Kind.VERIFY, "activate_url"),
    "email_confirmation_signup": (Mail.Kind.VERIFY, "activate_url"),
    "password_reset_key": (Mail.Kind.RESET, "password_reset_url"),
    "unknown_account": (Mail.Kind.NO_ACCOUNT, "signup_url"),
    "account_already_exists": (Mail.Kind.HAS_ACCOUNT, "password_reset_url"),
}
_MFA_SECRETS = b"pixora second factors"
# In a session: the secret of the invitation by which somebody came.
_INVITATION = "invitation"


class Adapter(DefaultAccountAdapter):
    """allauth's limits by address mean the same address as ours; it would believe whoever says for whom they ask."""

    def get_client_ip(self, request: HttpRequest) -> str:
        return access.address_of(request)

    def render_mail(
        self, template_prefix: str, email: Any, context: dict[str, Any], headers: dict[str, str] | None = None
    ) -> EmailMessage:
        """In the site's own words and looks. What allauth may send beyond these it is not asked to."""
        kind, address = _LETTERS[template_prefix.removeprefix("account/email/")]
        return letter.compose(kind, email, context[address])

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Not by allauth's count, which is of the account alone: five wrong guesses would shut its owner out."""

    def authenticate(self, request: HttpRequest, **credentials: Any) -> Any:
        try:
            with guessing.at_account(credentials.get("email", ""), access.address_of(request)) as guess:
                user = super().authenticate(request, **credentials)
                if user:
                    guess.was_right()
                return user
        except Refusal as refusal:
            raise ImmediateHttpResponse(refused(request, refusal)) from refusal

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return invitation_flow.is_open(request.session.get(_INVITATION, ""))

    @transaction.atomic
    def save_user(self, request: HttpRequest, user: Any, form: Any, commit: bool = True) -> Any:
        try:
            invitation_flow.use(request.session.get(_INVITATION, ""), form.cleaned_data["email"])
            request.session.pop(_INVITATION, None)
        except Refusal as refusal:
            raise ImmediateHttpResponse(refused(request, refusal)) from refusal
        return super().save_user(request, user, form, commit)

    def post_login(self, request: HttpRequest, user: Any, **facts: Any) -> Any:
        if user.is_staff:
            deed.record(Verb.STAFF_SIGNED_IN, user)
        return super().post_login(request, user, **facts)


class MfaAdapter(DefaultMFAAdapter):
    """The secret of an authenticator app lies sealed in the database, and its code is drawn as all others are."""

    def encrypt(self, text: str) -> str:
        return vault.seal(text, _MFA_SECRETS).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return vault.unseal(encrypted_text.encode(), _MFA_SECRETS)

    def build_totp_svg(self, url: str) -> str:
        drawn = io.BytesIO()
        segno.make_qr(url, error="m").save(drawn, kind="svg", scale=6, border=4, light="#fff")
        return drawn.getvalue().decode()


@require_safe
@page
def home(request: Request, viewer: Viewer) -> HttpResponseBase:
    return redirect("albums") if viewer.user else render(request, "home.html")


@require_safe
@page
def invited(request: Request, viewer: Viewer, invitation: str) -> HttpResponseBase:
    """The link of an invitation: kept while its holder makes an account."""
    if not invitation_flow.is_open(invitation):
        words = _("This invitation has ended or been used. Ask for a new one.")
        raise Refusal("invitation_ended", words, status=410)
    request.session[_INVITATION] = invitation
    return redirect("account_signup")


@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
@owners_page
def account_close(request: Request, viewer: Viewer) -> HttpResponseBase:
    form = CloseAccountForm(request.POST or None)
    if form.is_valid():
        with told_by(form):
            account_flow.close(access.require_user(viewer), form.cleaned_data["password"], viewer.address)
            logout(request)
            messages.success(request, _("Your account has been ended, and what it had is deleted."))
            return redirect("home")
    return render(request, "account/close.html", {"form": form})


@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
@page
def first_admin(request: Request, viewer: Viewer, token: str) -> HttpResponseBase:
    """The one-time link that a first run prints. Used up, out of date and made up are the same 404."""
    if not first_admin_wanted(token):
        raise Http404
    form = FirstAdminForm(request.POST or None)
    if form.is_valid():
        user = make_first_admin(token, form.cleaned_data["email"], form.cleaned_data["password"])
        if user is None:
            raise Http404
        login(request, user)
        deed.record(Verb.STAFF_SIGNED_IN, user, is_first=True)
        return redirect("admin:index")
    return render(request, "account/first_admin.html", {"form": form})
