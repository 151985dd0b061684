"""For whoever watches over the process: that it runs, and whether it can work."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from galleries.flows import readiness


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    answers = readiness.check()
    ready = all(answer.ok for answer in answers)
    checks = {answer.name: {"ok": answer.ok, "words": answer.words} for answer in answers}
    response = JsonResponse({"ready": ready, "checks": checks}, status=200 if ready else 503)
    response["Cache-Control"] = "no-store"
    return response
