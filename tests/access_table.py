"""The access table: what each persona gets from every route and method.

A row reads "404, 401 nobody guests, 200 owner": the answer, then those who get another one, the later word counting.
Nobody has to be named who counts for nothing: a disabled user, and on pages a token, are as nobody; in the API a dead
token is told so.
"""

# People with an account who have nothing to do with Olga's album, but that "keeping" keeps a guest of it; those with a
# role in it; guests who are let in, "looking" without downloads, and who are not, or no longer; tokens of Olga's with
# one scope each, and one bound to another album of hers.
GROUPS = {
    "outsiders": ["stranger", "staff", "other owner", "keeping"],
    "roles": ["owner", "editor", "viewer"],
    "in": ["guest", "browsing", "looking", "used-up"],
    "out": ["locked", "expired", "revoked", "other guest"],
    "tokens": ["read", "upload", "manage", "bound"],
    "lost": ["disabled", "left", "dead token"],
}
GROUPS |= {"guests": GROUPS["in"] + GROUPS["out"], "signed-in": GROUPS["outsiders"] + GROUPS["roles"]}
PERSONAS = ["nobody", *GROUPS["signed-in"], *GROUPS["guests"], *GROUPS["tokens"], *GROUPS["lost"]]
_TWO_WORDS = {"other_owner": "other owner", "other_guest": "other guest"}

# Who does what in an album: the roles, and the token.
_DOERS = {
    "inspect": "owner editor viewer read",
    "upload": "owner editor upload",
    "edit": "owner editor manage",
    "share": "owner editor manage",
    "own": "owner manage",
}
_API = "404, 401 nobody guests, 403 roles read upload manage, 404 bound"
_PAGE = "404, 302 nobody guests, 403 roles"


def _api(does: str, status: int) -> str:
    """An owner's route: who is not signed in is told so, whoever's it is; a role or a token that is too little: 403."""
    return f"{_API}, {status} {_DOERS[does]}"


def _page(does: str, status: int) -> str:
    """An owner's page asks whoever is not signed in to do so."""
    return f"{_PAGE}, {status} {_DOERS[does]}"


ALL = "200"
NOT_OFFERED = "405"
# A photographer's own, whoever they are.
_OWN_API = "200, 401 nobody guests"
_OWN_PAGE = "200, 302 nobody guests"
# Who holds a link's token is let in by it, whoever they are; a token of the API, if it reads, and in its own albums.
_BY_TOKEN = "{}, 403 upload manage, 404 bound"
_GUESTS_OWN = "404, {} guest"
# An owner's webhooks are seen by nobody else, whatever they do in the albums.
_OWN_WEBHOOK = "404, 401 nobody guests, 403 read upload, {} owner manage"
_BYTES = "404, 200 in keeping roles read, 403 upload manage"

TABLE: dict[str, str] = {
    "GET api:albums": f"{_OWN_API}, 403 upload manage",
    "POST api:albums": "201, 401 nobody guests, 403 read upload bound",
    "GET api:album": _api("inspect", 200),
    "PATCH api:album": _api("edit", 200),
    "DELETE api:album": _api("own", 204),
    "GET api:album-logo": _api("inspect", 200),
    "PUT api:album-logo": _api("edit", 200),
    "DELETE api:album-logo": _api("edit", 204),
    "GET api:album-photos": _api("inspect", 200),
    "POST api:album-photos": _api("upload", 201),
    "POST api:album-photos-check": _api("upload", 200),
    "GET api:album-progress": _api("inspect", 200),
    "POST api:album-retry": _api("edit", 200),
    # The album is not deleted: there is nothing to restore.
    "POST api:album-restore": "404, 401 nobody guests",
    "POST api:album-photos-change": _api("edit", 200),
    "GET api:album-stats": _api("inspect", 200),
    # A token needs two scopes for it: to see the album, and to do what it cannot take back.
    "POST api:album-leave": f"{_API}, 204 roles",
    # It is not deleted either.
    "DELETE api:album-deleted": "404, 401 nobody guests",
    "GET api:albums-deleted": f"{_OWN_API}, 403 upload manage",
    # What is told of an account is for no token of single albums.
    "GET api:account": f"{_OWN_API}, 403 upload manage bound",
    "PATCH api:account": f"{_OWN_API}, 403 read upload bound",
    # Who is signed in has sent a wrong password.
    "POST api:account-close": "403, 401 nobody guests",
    "GET api:tokens": f"{_OWN_API}, 403 upload manage bound",
    "DELETE api:token": "404, 401 nobody guests, 204 owner, 403 tokens",
    "GET api:album-searches": _api("own", 200),
    "GET api:album-alerts": _api("own", 200),
    "POST api:alert-settle": _api("own", 200),
    "GET api:album-links": _api("share", 200),
    "POST api:album-links": _api("share", 201),
    "GET api:album-collaborators": _api("own", 200),
    "POST api:album-collaborators": _api("own", 201),
    "GET api:album-collaborator": _api("own", 200),
    "PATCH api:album-collaborator": _api("own", 200),
    "DELETE api:album-collaborator": _api("own", 204),
    "POST api:album-archives": _api("inspect", 201),
    # The photographer's people are nobody's but theirs and their collaborators'.
    "GET api:album-people": _api("inspect", 200),
    "GET api:album-people-state": _api("inspect", 200),
    "PUT api:album-people-state": _api("own", 200),
    "GET api:person": _api("inspect", 200),
    "PATCH api:person": _api("edit", 200),
    "GET api:person-face": _api("inspect", 200),
    "POST api:person-merge": _api("edit", 200),
    "POST api:person-remove": _api("edit", 200),
    # Seen by guests, but not what is told of it.
    "GET api:photo": f"{_api('inspect', 200)}, 403 keeping",
    "PATCH api:photo": f"{_api('edit', 200)}, 403 keeping",
    "DELETE api:photo": f"{_api('edit', 204)}, 403 keeping",
    "GET api:photo-thumb": _BYTES,
    "GET api:photo-preview": _BYTES,
    "GET api:photo-original": f"{_BYTES}, 403 looking",
    # A guest's zip is theirs, not the owner's.
    "GET api:archive": _GUESTS_OWN.format(200),
    # A link that a viewer would see is one that a viewer could pass on.
    "GET api:link": f"{_api('share', 200)}, 404 viewer",
    "PATCH api:link": f"{_api('share', 200)}, 404 viewer",
    "DELETE api:link": f"{_api('share', 204)}, 404 viewer",
    "GET api:link-stats": f"{_api('share', 200)}, 404 viewer",
    "GET api:link-qr": f"{_api('share', 200)}, 404 viewer",
    "GET api:shared-link": _BY_TOKEN.format(200),
    "POST api:shared-link-unlock": _BY_TOKEN.format(200),
    "GET api:shared-link-photos": "403, 404 bound",
    "POST api:shared-link-selfies": _BY_TOKEN.format(202),
    "GET api:selfie": _GUESTS_OWN.format(200),
    "DELETE api:selfie": _GUESTS_OWN.format(204),
    "POST api:selfie-feedback": _GUESTS_OWN.format(200),
    "POST api:selfie-archives": _GUESTS_OWN.format(201),
    # A list of one's own, which is empty for most.
    "GET api:selfies": "200, 403 upload manage",
    "GET api:selfie-devices": _GUESTS_OWN.format(200),
    "DELETE api:selfie-devices": _GUESTS_OWN.format(204),
    "POST api:selfie-return": _GUESTS_OWN.format(201),
    "DELETE api:selfie-return": _GUESTS_OWN.format(204),
    # Where no mail is sent, an address is not taken.
    "POST api:selfie-return-mail": _GUESTS_OWN.format(403),
    "DELETE api:selfie-return-mail": _GUESTS_OWN.format(204),
    "PUT api:selfie-mail": _GUESTS_OWN.format(403),
    "DELETE api:selfie-mail": _GUESTS_OWN.format(204),
    # Who holds the token of a return address is let in by it, whoever they are.
    "POST api:return": _BY_TOKEN.format(200),
    # Whoever is a guest forgets what they hold.
    "DELETE api:guest": "404, 204 guests",
    "GET api:webhooks": "200, 401 nobody guests, 403 read upload",
    # What a webhook is told, and where, outlives a session: it gives the password first.
    "POST api:webhooks": "403, 401 nobody guests, 201 manage",
    "GET api:webhook": _OWN_WEBHOOK.format(200),
    "PATCH api:webhook": f"{_OWN_WEBHOOK.format(200)}, 403 owner",
    "DELETE api:webhook": _OWN_WEBHOOK.format(204),
    "POST api:webhook-secret": f"{_OWN_WEBHOOK.format(200)}, 403 owner",
    "POST api:webhook-test": _OWN_WEBHOOK.format(202),
    "GET api:webhook-deliveries": _OWN_WEBHOOK.format(200),
    "POST api:delivery-retry": _OWN_WEBHOOK.format(202),
    "GET api:schema": ALL,
    "GET api:docs": ALL,
    # Anything else below the API is the 404 of everything foreign.
    "GET api:nothing": "404, 404 dead_token",
    "GET home": "200, 302 signed-in",
    "POST home": NOT_OFFERED,
    # Choosing a language: back to where one was.
    "GET set_language": "302",
    "POST set_language": "302",
    "GET manifest": ALL,
    # Nobody has chosen a colour for the site.
    "GET site-accent": "404",
    "POST site-accent": NOT_OFFERED,
    # Sign-up is open to all, with and without an invitation.
    "GET invited": "302",
    "POST invited": NOT_OFFERED,
    "POST manifest": NOT_OFFERED,
    "GET healthz": ALL,
    "POST healthz": NOT_OFFERED,
    # No Redis runs beside this test.
    "GET readyz": "503",
    "POST readyz": NOT_OFFERED,
    "GET metrics": "404, 200 staff",
    "POST metrics": NOT_OFFERED,
    # The manual is anybody's.
    "GET help": ALL,
    "POST help": NOT_OFFERED,
    "GET help-part": ALL,
    "POST help-part": NOT_OFFERED,
    "GET help-chapter": ALL,
    "POST help-chapter": NOT_OFFERED,
    # There is an administrator already.
    "GET first-admin": "404",
    "POST first-admin": "404",
    "GET account-close": _OWN_PAGE,
    # A wrong password is told of at the form.
    "POST account-close": _OWN_PAGE,
    "GET tokens": _OWN_PAGE,
    "POST tokens": NOT_OFFERED,
    # Who is signed in is asked for their password once more.
    "GET token-new": "302",
    "POST token-new": "302",
    "GET token": "404, 302 nobody guests owner",
    "POST token": "404, 302 nobody guests owner",
    "GET token-revoke": "404, 302 nobody guests, 200 owner",
    "POST token-revoke": "404, 302 nobody guests owner",
    "GET webhooks": _OWN_PAGE,
    "POST webhooks": NOT_OFFERED,
    "GET webhook-new": "302",
    "POST webhook-new": "302",
    "GET webhook": "404, 302 nobody guests, 200 owner",
    "POST webhook": "404, 302 nobody guests owner",
    "GET webhook-change": "404, 302 nobody guests owner",
    "POST webhook-change": "404, 302 nobody guests owner",
    "GET webhook-secret": "404, 302 nobody guests owner",
    "POST webhook-secret": "404, 302 nobody guests owner",
    "GET webhook-delete": "404, 302 nobody guests, 200 owner",
    "POST webhook-delete": "404, 302 nobody guests owner",
    "GET delivery": "404, 302 nobody guests, 200 owner",
    "POST delivery": "404, 302 nobody guests owner",
    # Where no mail is sent it is shown to who may do all.
    "GET mails": "404, 200 staff",
    "POST mails": NOT_OFFERED,
    "GET mail-shown": "404, 200 staff",
    "POST mail-shown": NOT_OFFERED,
    "GET mail-settings": _OWN_PAGE,
    "POST mail-settings": "302",
    "GET albums": _OWN_PAGE,
    "POST albums": NOT_OFFERED,
    "GET album-new": _OWN_PAGE,
    "POST album-new": "302",
    "GET albums-deleted": _OWN_PAGE,
    "POST albums-deleted": NOT_OFFERED,
    "GET album-restore": NOT_OFFERED,
    "POST album-restore": "404, 302 nobody guests",
    "GET album-delete-for-good": NOT_OFFERED,
    "POST album-delete-for-good": "404, 302 nobody guests",
    "GET album": _page("inspect", 200),
    "POST album": NOT_OFFERED,
    "GET album-edit": _page("edit", 200),
    "POST album-edit": _page("edit", 302),
    "GET album-accent": "404, 200 roles",
    "POST album-accent": NOT_OFFERED,
    "GET album-logo": "404, 200 roles",
    "POST album-logo": NOT_OFFERED,
    "GET album-delete": _page("own", 200),
    "POST album-delete": _page("own", 302),
    "GET album-face-search": NOT_OFFERED,
    "POST album-face-search": _page("own", 302),
    "GET album-progress": _page("inspect", 200),
    "POST album-progress": NOT_OFFERED,
    "GET album-problems": _page("inspect", 200),
    "POST album-problems": NOT_OFFERED,
    "GET album-upload": _page("upload", 200),
    "POST album-upload": _page("upload", 302),
    "GET album-retry": NOT_OFFERED,
    "POST album-retry": _page("edit", 302),
    "GET album-searches": _page("own", 200),
    "POST album-searches": _page("own", 302),
    "GET album-listing": _page("inspect", 200),
    "POST album-listing": NOT_OFFERED,
    "GET album-photos-change": NOT_OFFERED,
    "POST album-photos-change": _page("edit", 302),
    "GET album-photos-delete": NOT_OFFERED,
    "POST album-photos-delete": _page("edit", 302),
    "GET album-zip": NOT_OFFERED,
    "POST album-zip": _page("inspect", 200),
    "GET album-collaborators": _page("own", 200),
    "POST album-collaborators": _page("own", 302),
    "GET album-collaborator": NOT_OFFERED,
    "POST album-collaborator": _page("own", 302),
    "GET album-leave": NOT_OFFERED,
    "POST album-leave": _page("inspect", 302),
    "GET album-people": _page("inspect", 200),
    "POST album-people": _page("own", 302),
    "GET album-people-merge": NOT_OFFERED,
    "POST album-people-merge": _page("edit", 302),
    "GET person": NOT_OFFERED,
    "POST person": _page("edit", 302),
    "GET person-remove": NOT_OFFERED,
    "POST person-remove": _page("edit", 302),
    "GET album-link-new": _page("share", 200),
    "POST album-link-new": _page("share", 302),
    "GET link": f"{_page('share', 200)}, 404 viewer",
    "POST link": f"{_page('share', 302)}, 404 viewer",
    "GET link-poster": f"{_page('share', 200)}, 404 viewer",
    "POST link-poster": NOT_OFFERED,
    "GET link-delete": f"{_page('share', 200)}, 404 viewer",
    "POST link-delete": f"{_page('share', 302)}, 404 viewer",
    "GET photo": "404, 200 in keeping roles",
    # Seen by guests and viewers, and not theirs to change.
    "POST photo": "404, 403 in keeping viewer, 302 owner editor",
    "GET guest-link": ALL,
    "POST guest-link": "302",
    # The address without the token, for browsers that opened the link; these came by another way.
    "GET event": "404",
    "POST event": "404",
    # Whoever has the address of the link, and as long as it is open.
    "GET guest-accent": ALL,
    "POST guest-accent": NOT_OFFERED,
    "GET guest-logo": ALL,
    "POST guest-logo": NOT_OFFERED,
    "GET guest-cover": ALL,
    "POST guest-cover": NOT_OFFERED,
    "GET shared": "404, 200 browsing looking",
    "POST shared": NOT_OFFERED,
    "GET shared-listing": "404, 200 browsing looking",
    "POST shared-listing": NOT_OFFERED,
    "GET my-photos": ALL,
    "POST my-photos": "302",
    "GET selfie": _GUESTS_OWN.format(200),
    "POST selfie": NOT_OFFERED,
    "GET selfie-status": _GUESTS_OWN.format(200),
    "POST selfie-status": NOT_OFFERED,
    "GET selfie-feedback": NOT_OFFERED,
    "POST selfie-feedback": _GUESTS_OWN.format(302),
    "GET selfie-zip": NOT_OFFERED,
    "POST selfie-zip": _GUESTS_OWN.format(200),
    "GET selfie-devices": _GUESTS_OWN.format(200),
    "POST selfie-devices": _GUESTS_OWN.format(200),
    # Who holds the token is let in by it, whoever they are; the guest is in already.
    "GET return": "200, 302 guest",
    "POST return": "302",
    "GET selfie-mail": NOT_OFFERED,
    # Where no mail is sent, an address is not taken.
    "POST selfie-mail": _GUESTS_OWN.format(403),
    # The link in a mail: who holds it may end the mails.
    "GET mail": ALL,
    "POST mail": ALL,
    "GET selfie-withdraw": _GUESTS_OWN.format(200),
    "POST selfie-withdraw": _GUESTS_OWN.format(302),
    # Signing in and out is allauth's: forms for those who are not signed in, and back to the albums for those who are.
    "GET account_login": "200, 302 signed-in",
    "POST account_login": "200, 302 signed-in",
    "GET account_logout": "302, 200 signed-in",
    "POST account_logout": "302",
    "GET account_inactive": ALL,
    "POST account_inactive": NOT_OFFERED,
    "GET account_signup": "200, 302 signed-in",
    "POST account_signup": "200, 302 signed-in",
    "GET account_reauthenticate": "302, 200 signed-in",
    "POST account_reauthenticate": "302, 200 signed-in",
    "GET account_email": "302, 200 signed-in",
    "POST account_email": "302",
    "GET account_email_verification_sent": ALL,
    "POST account_email_verification_sent": NOT_OFFERED,
    "GET account_change_password": "302, 200 signed-in",
    "POST account_change_password": "302, 200 signed-in",
    "GET account_set_password": "302",
    "POST account_set_password": "302",
    "GET account_reset_password": ALL,
    "POST account_reset_password": ALL,
    "GET account_confirm_login_code": "302",
    "POST account_confirm_login_code": "302",
    "GET account_confirm_email": ALL,
    "POST account_confirm_email": "404",
    "GET account_reset_password_from_key_done": ALL,
    "POST account_reset_password_from_key_done": NOT_OFFERED,
    "GET account_reset_password_from_key": ALL,
    "POST account_reset_password_from_key": ALL,
    "GET account_reset_password_done": ALL,
    "POST account_reset_password_done": NOT_OFFERED,
    # The second step at sign-in: nobody here has one.
    "GET mfa_index": "302, 200 signed-in",
    "POST mfa_index": "302, 405 signed-in",
    "GET mfa_authenticate": "302",
    "POST mfa_authenticate": "302",
    "GET mfa_reauthenticate": "302",
    "POST mfa_reauthenticate": "302",
    "GET mfa_activate_totp": "302",
    "POST mfa_activate_totp": "302",
    "GET mfa_deactivate_totp": "302, 404 signed-in",
    "POST mfa_deactivate_totp": "302, 404 signed-in",
    "GET mfa_view_recovery_codes": "302, 404 signed-in",
    "POST mfa_view_recovery_codes": "302, 405 signed-in",
    "GET mfa_generate_recovery_codes": "302",
    "POST mfa_generate_recovery_codes": "302",
    "GET mfa_download_recovery_codes": "302, 404 signed-in",
    "POST mfa_download_recovery_codes": "302, 404 signed-in",
}

# What is asked of a photo in each state, by its album's people and by a guest whose search has found it.
_FILE_ONLY = {
    "GET api:photo-thumb": "404, 403 upload manage",
    "GET api:photo-preview": "404, 403 upload manage",
    "GET api:photo-original": "404, 200 roles read, 403 upload manage",
    "GET photo": "404, 200 roles",
    "GET api:photo": _api("inspect", 200),
}
STATES: dict[str, dict[str, str]] = {
    "processing": _FILE_ONLY,
    "quarantined": _FILE_ONLY,
    # Hidden from guests, and only from them; its files are the ones of the table above.
    "hidden": _FILE_ONLY,
    # Seen, and not to be had whole, until the guest says that it is them. (No worker has made what guests get.)
    "maybe": {
        "GET api:photo-original": "404, 403 guest looking upload manage, 200 roles read",
        "GET photo": "404, 200 guest browsing looking roles",
    },
    "not me": {
        "GET api:photo-original": "404, 403 looking upload manage, 200 roles read",
        "GET photo": "404, 200 browsing looking roles",
    },
}
# What a guest has by their own link, and its end.
_OWN = {
    "GET api:selfie": 200,
    "GET api:selfie-devices": 200,
    "GET api:archive": 200,
    "POST api:selfie-feedback": 200,
    "POST api:selfie-archives": 201,
    "DELETE api:selfie": 204,
    "GET selfie": 200,
    "GET selfie-status": 200,
    "GET selfie-devices": 200,
    "GET return": 302,
    "POST selfie-zip": 200,
    "POST selfie-withdraw": 302,
}
_SHUT_OUT = dict.fromkeys(_OWN, 404)
OWN: dict[str, dict[str, int]] = dict.fromkeys([*GROUPS["in"], "keeping"], _OWN) | {
    "looking": _OWN | {"GET api:archive": 410, "POST api:selfie-archives": 403, "POST selfie-zip": 403},
    # What is kept with an account is come back to by signing in.
    "keeping": _OWN | {"GET return": 404},
    "expired": _SHUT_OUT,
    "revoked": _SHUT_OUT,
    # Whoever has not given the new password, though another guest has.
    "locked": _SHUT_OUT | {"POST api:shared-link-selfies": 403, "POST guest-link": 403},
}
# What somebody whom nobody knows gets by each kind of link.
_ENDED = {"GET api:shared-link": 410, "POST api:shared-link-selfies": 410, "GET guest-link": 410}
_ENDED |= {"GET guest-logo": 410, "GET guest-cover": 410, "GET api:shared-link-photos": 410}
BY_LINK: dict[str, dict[str, int]] = {
    "expired": _ENDED,
    "revoked": _ENDED,
    "locked": {
        "GET api:shared-link": 200,
        "GET api:shared-link-photos": 403,
        "POST api:shared-link-selfies": 403,
        "POST guest-link": 403,
        "POST api:shared-link-unlock": 403,
        "GET guest-cover": 404,
    },
    # Looking is free; the next new guest is not let in.
    "used-up": {"GET api:shared-link": 200, "POST api:shared-link-selfies": 410, "POST api:shared-link-unlock": 410},
    "browsing": {"GET api:shared-link-photos": 200, "POST api:shared-link-selfies": 202},
}


def expected(row: str, *, in_api: bool) -> dict[str, int]:
    """The status for each persona, as the row says it."""
    default, *others = row.split(", ")
    answers = dict.fromkeys(PERSONAS, int(default))
    if in_api:
        answers["dead token"] = 401
    for other in others:
        status, *names = other.split()
        for name in names:
            answers |= dict.fromkeys(GROUPS.get(name, [_TWO_WORDS.get(name, name.replace("_", " "))]), int(status))
    as_nobody = ["disabled", "left"] if in_api else [*GROUPS["lost"], *GROUPS["tokens"]]
    return answers | dict.fromkeys(as_nobody, answers["nobody"])
