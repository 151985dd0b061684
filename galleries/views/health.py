"""For whoever watches over the process: that it runs, and whether it can work."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from galleries import access, metrics
from galleries.flows import gauges, readiness


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


@require_safe
def metrics_page(request: HttpRequest) -> HttpResponse:
    access.require_metrics_reader(request)
    text, content_type = metrics.render(gauges.gauges)
    response = HttpResponse(text, content_type=content_type)
    response["Cache-Control"] = "private, no-store"
    return response
