"""A person before a browser: they read pages, fill in forms, and press buttons."""

import html
import html.parser
import http.cookiejar
import re
import time
import urllib.error
import urllib.parse
import urllib.request

from checks import LIMIT

PERSON, PASSWORD = "alice", "a password for the test alone"


class Forms(html.parser.HTMLParser):
    """The forms of a page: where each goes, its fields, its boxes (none is ticked), and its buttons."""

    def __init__(self, page):
        super().__init__()
        self.forms, self.open = [], None
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form":
            self.open = {"action": attributes["action"], "fields": {}, "boxes": {}, "buttons": []}
            self.forms.append(self.open)
        elif self.open is not None and "name" in attributes:
            if tag == "button":
                self.open["buttons"].append((attributes["name"], attributes.get("value", "")))
            elif attributes.get("type") == "checkbox":
                self.open["boxes"][attributes["name"]] = attributes.get("value", "on")
            elif tag in ("input", "textarea"):
                self.open["fields"][attributes["name"]] = attributes.get("value", "")

    def handle_endtag(self, tag):
        if tag == "form":
            self.open = None

    def with_button(self, button):
        return next((form for form in self.forms if button in form["buttons"]), None)

    def with_field(self, field):
        return next((form for form in self.forms if field in form["fields"]), None)

    def that_goes_to(self, path):
        return next((form for form in self.forms if form["action"] == path), None)


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but for those to a place where nobody listens: they end in their status, and are remembered."""

    def __init__(self, beyond):
        self.beyond, self.left = beyond, None

    def redirect_request(self, request, answer, code, message, headers, address):
        if self.beyond is not None and address.startswith(self.beyond):
            self.left = address
            return None
        return super().redirect_request(request, answer, code, message, headers, address)


class Browser:
    """A person's browser: it keeps cookies, and follows redirects."""

    def __init__(self, beyond=None):
        self.jar, self.redirects = http.cookiejar.CookieJar(), Redirects(beyond)
        kept = urllib.request.HTTPCookieProcessor(self.jar)
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), kept, self.redirects)
        self.headers = {}

    def load(self, url, fields=None, headers=None):
        """Gets a page, or posts a form; returns status, address and text. A form comes from the page's own origin, unless these
        headers say something else."""
        data = None if fields is None else urllib.parse.urlencode(fields).encode()
        request = urllib.request.Request(url, data)
        if data is not None and headers is None:
            parts = urllib.parse.urlsplit(url)
            headers = {"Origin": f"{parts.scheme}://{parts.netloc}"}
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with self.opener.open(request, timeout=LIMIT) as response:
                self.headers = response.headers
                return response.status, response.url, response.read().decode()
        except urllib.error.HTTPError as error:
            self.headers = error.headers
            return error.code, error.url, error.read().decode()

    def send(self, where, form, **fields):
        """Posts a form of a page, with these fields filled in."""
        return self.load(urllib.parse.urljoin(where, form["action"]), {**form["fields"], **fields})


class WithPassword(Browser):
    """Somebody who has an account of the installation."""

    def log_in(self, url, password=PASSWORD):
        """Opens a page, fills in the login form that is shown instead, and returns the page that comes after it."""
        _, where, page = self.load(url)
        return self.send(where, Forms(page).with_field("account"), account=PERSON, password=password)

    def decide(self, url, verdict, password=PASSWORD):
        """Opens a plan's page and presses one of its buttons."""
        _, where, page = self.load(url)
        form = Forms(page).with_button(("verdict", verdict))
        return self.send(where, form, **form["boxes"].get("whole") and {"whole": "yes"} or {}, verdict=verdict, password=password)

    def fail_to_decide(self, url, verdict):
        """The same, with a wrong password."""
        return self.decide(url, verdict, "not the password")


class AtProvider(Browser):
    """Somebody who logs in at an identity provider."""

    def __init__(self, subject, beyond=None):
        super().__init__(beyond)
        self.subject = subject

    def pass_through(self, answer, subject=None):
        """Says who they are, where they are asked; they are, each time that they are sent there."""
        status, where, page = answer
        # A page of ours from which browsers go on by themselves: no form leads to another site.
        if onward := re.search(r'<a href="([^"]+)">Go on</a>', page):
            status, where, page = self.load(html.unescape(onward[1]))
        form = Forms(page).with_field("username")
        if form is None:
            raise AssertionError(f"{where} doesn't ask who that is, but answers {status}: {page}")
        status, where, page = self.send(where, form, username=subject or self.subject)
        # The provider ends the session of whoever was logged in before, by a page that sends its form by itself.
        if form := Forms(page).with_field("xsrf"):
            status, where, page = self.send(where, form)
        return status, where, page

    def log_in(self, url):
        """Opens a page, presses the login's button, and returns the page that comes after the login."""
        _, where, page = self.load(url)
        form = Forms(page).that_goes_to("/login/at/sso")
        _, where, page = self.pass_through(self.send(where, form))
        return self.load(url)

    def decide(self, url, verdict, subject=None):
        """Opens a plan's page, presses one of its buttons, logs in anew and confirms."""
        # The provider tells the time of a login in whole seconds, and only one that is later than the challenge counts.
        began = int(time.time())
        while int(time.time()) == began:
            time.sleep(0.02)
        _, where, page = self.load(url)
        form = Forms(page).with_button(("verdict", verdict))
        status, where, page = self.pass_through(self.send(where, form, verdict=verdict), subject)
        confirmation = Forms(page).with_field("confirm")
        return self.send(where, confirmation) if confirmation else (status, where, page)

    def fail_to_decide(self, url, verdict):
        """The same, with somebody else's login."""
        return self.decide(url, verdict, f"{self.subject}-2")
