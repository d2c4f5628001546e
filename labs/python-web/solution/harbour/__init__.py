"""A harbour's arrivals, as a page and as JSON."""

from flask import Flask, Response, abort, jsonify, render_template, request

from harbour.arrivals import arrivals, by_name


def create_app() -> Flask:
    """The web application, as gunicorn and the tests want it."""
    app = Flask(__name__)

    @app.get("/")
    def page() -> str:
        return render_template("arrivals.html", ships=arrivals())

    @app.get("/healthz")
    def healthz() -> Response:
        return Response("ok\n", mimetype="text/plain")

    @app.get("/api/arrivals")
    def listed() -> Response:
        return jsonify(arrivals(flag=request.args.get("flag")))

    @app.get("/api/arrivals/<name>")
    def one(name: str) -> Response:
        ship = by_name(name)
        if ship is None:
            abort(404)
        return jsonify(ship)

    return app
