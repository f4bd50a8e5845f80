//! Pages of others that want something decided: forms, requests, frames, names that lead here.

use anyhow::Result;
use approval_core::PlanView;
use browser::{Browser, Driver, Foreign, PASSWORD, Person, Site, path};
use serde_json::json;

/// The names under which the other server is reached, and what the browser says of a request from there to the surface. Under the
/// surface's own name it is of the same site, and the session's cookie comes with whatever it sends.
const NAMES: [(&str, &str, bool); 3] =
    [("127.0.0.1", "same-site", true), ("localhost", "cross-site", false), ("attacker.test", "cross-site", false)];

/// A person with a plan before them, and the form that decides about it.
struct Scene<'d> {
    browser: Browser<'d>,
    plan: PlanView,
    form: String,
}

fn scene<'d>(site: &Site, driver: &'d Driver) -> Result<Scene<'d>> {
    let (browser, plan) = (driver.open()?, site.plan("a")?);
    site.log_in(&browser, "alice")?;
    browser.open(&site.url(&plan))?;
    let form = browser.run("return document.querySelector('[name=form]').value", &[])?;
    let form = form.as_str().unwrap_or_default().to_owned();
    Ok(Scene { browser, plan, form })
}

fn session<'s>(site: &'s Site, scene: &Scene<'_>) -> Result<Person<'s>> {
    scene.browser.open(&site.url(&scene.plan))?;
    Ok(site.holder(&scene.browser.cookies()?))
}

#[test]
fn a_form_on_another_page_decides_nothing() -> Result<()> {
    // [FORM-003, AUTH-004]
    let (site, driver) = (Site::new()?, Driver::start()?);
    let foreign = Foreign::beside(&site)?;
    let scene = scene(&site, &driver)?;
    let (browser, before) = (&scene.browser, site.tables()?);
    // With everything right, the password and the sealed form included, but for where it stands.
    let field = |name: &str, value: &str| format!("<input name={name} value='{value}'>");
    let fields = [("form", scene.form.as_str()), ("verdict", "approve"), ("password", PASSWORD)];
    let fields = fields.map(|(name, value)| field(name, value)).concat();
    let form = format!("<form method=post action='{}'>{fields}</form>", site.url(&scene.plan));
    foreign.put("/", format!("{form}<script>document.forms[0].submit()</script>"), &[]);
    for (name, from, has_cookie) in NAMES {
        browser.open(&foreign.origin(name))?;
        assert_eq!(browser.find("section.narrow h1")?.text()?, "Refused", "{name}");
        assert_eq!(browser.status()?, 403, "{name}");
        let seen = site.seen("POST", &path(&scene.plan));
        let seen = seen.last().map(|seen| (seen.status, seen.from.as_str(), seen.has_cookie));
        assert_eq!(seen, Some((403, from, has_cookie)), "{name}");
    }
    assert_eq!(site.tables()?, before);
    // The control: the same form, sent from where it belongs.
    let answer = session(&site, &scene)?.decide(&scene.plan, &scene.form, "approve", PASSWORD)?;
    assert_eq!((answer.status, site.state(&scene.plan)?), (303, "approved"));
    Ok(())
}

#[test]
fn a_script_on_another_page_neither_decides_nor_reads() -> Result<()> {
    // [FORM-003, SURF-015]
    let (site, driver) = (Site::new()?, Driver::start()?);
    let foreign = Foreign::beside(&site)?;
    let scene = scene(&site, &driver)?;
    let (browser, before) = (&scene.browser, site.tables()?);
    foreign.put("/", "<p>harmless", &[]);
    let (page, logout) = (site.url(&scene.plan), format!("{}/logout", site.origin));
    for (name, from, _) in NAMES {
        browser.open(&foreign.origin(name))?;
        let send = "const done = arguments[3];
            fetch(arguments[0], { method: 'POST', mode: arguments[1], credentials: 'include',
                body: new URLSearchParams(arguments[2]) }).then((answer) => done(answer.type), () => done('refused'))";
        let fields = json!({ "form": scene.form, "verdict": "approve", "password": PASSWORD });
        for mode in ["no-cors", "cors"] {
            browser.run_until_done(send, &[json!(page), json!(mode), fields.clone()])?;
            browser.run_until_done(send, &[json!(logout), json!(mode), json!({})])?;
        }
        for path in [path(&scene.plan), "/logout".to_owned()] {
            let seen = site.seen("POST", &path);
            let seen: Vec<_> = seen.iter().rev().take(2).map(|seen| (seen.status, seen.from.as_str())).collect();
            assert_eq!(seen, [(403, from), (403, from)], "{name} {path}");
        }
        let read = "const done = arguments[1];
            fetch(arguments[0], { credentials: 'include' }).then((page) => page.text()).then(done, () => done('refused'))";
        assert_eq!(browser.run_until_done(read, &[json!(page)])?, json!("refused"), "{name}");
        // Not even that there is something: an image or a script of ours is none to others.
        let load = "const done = arguments[1], script = document.createElement('script');
            script.onload = () => done('loaded'); script.onerror = () => done('refused');
            script.src = arguments[0]; document.head.append(script)";
        assert_eq!(browser.run_until_done(load, &[json!(page)])?, json!("refused"), "{name}");
    }
    assert_eq!(site.tables()?, before);
    // The control: the person is still logged in, and may read and decide.
    let alice = session(&site, &scene)?;
    assert!(alice.get(&path(&scene.plan))?.body.contains("put a value on the shelf"));
    let answer = alice.decide(&scene.plan, &scene.form, "approve", PASSWORD)?;
    assert_eq!((answer.status, site.state(&scene.plan)?), (303, "approved"));
    Ok(())
}

#[test]
fn another_page_logs_nobody_in() -> Result<()> {
    // [FORM-003]
    let (site, driver) = (Site::new()?, Driver::start()?);
    let foreign = Foreign::beside(&site)?;
    // Into the attacker's own account, so that the person decides in another's name.
    let fields = format!("<input name=account value=bob><input name=password value='{PASSWORD}'>");
    let form = format!("<form method=post action='{}/login'>{fields}</form>", site.origin);
    foreign.put("/", format!("{form}<script>document.forms[0].submit()</script>"), &[]);
    let browser = driver.open()?;
    for (name, ..) in NAMES {
        browser.open(&foreign.origin(name))?;
        assert_eq!(browser.find("section.narrow h1")?.text()?, "Refused", "{name}");
        assert_eq!((browser.status()?, browser.cookies()?), (403, String::new()), "{name}");
    }
    site.log_in(&browser, "bob")?;
    assert_ne!(browser.cookies()?, "");
    Ok(())
}

#[test]
fn no_page_can_be_framed() -> Result<()> {
    // [SURF-015]
    let (site, driver) = (Site::new()?, Driver::start()?);
    let foreign = Foreign::beside(&site)?;
    let scene = scene(&site, &driver)?;
    let browser = &scene.browser;
    foreign.put("/own", "<p id=own>a page that may be framed", &[]);
    let login = format!("{}/login", site.origin);
    for (name, ..) in NAMES {
        let own = format!("{}/own", foreign.origin(name));
        for (page, is_shown) in [(&own, true), (&site.url(&scene.plan), false), (&login, false)] {
            for tag in ["iframe", "embed", "object"] {
                let source = if tag == "object" { "data" } else { "src" };
                foreign.put("/", format!("<body><{tag} {source}='{page}' width=800 height=600></{tag}>"), &[]);
                browser.open(&foreign.origin(name))?;
                let frame = browser.run("return window.length", &[])?;
                if frame == json!(0) {
                    assert!(!is_shown, "{tag} on {name}: the control isn't shown either");
                    continue;
                }
                browser.into_frame(&browser.find(tag)?)?;
                let inside = browser.run("return [location.href, document.body.innerText.length > 0]", &[]);
                let shows = browser.count("main, #own")? > 0;
                assert_eq!(shows, is_shown, "{tag} of {page} on {name}: {inside:?}");
                browser.out_of_frames()?;
            }
        }
    }
    // The control of the person: the page itself is there.
    browser.open(&site.url(&scene.plan))?;
    browser.find(".decide").map(drop)
}

#[test]
fn a_name_that_was_made_to_lead_here_gets_nothing() -> Result<()> {
    // [SURF-014]
    let (site, driver) = (Site::new()?, Driver::start()?);
    let scene = scene(&site, &driver)?;
    let (browser, before) = (&scene.browser, site.tables()?);
    for name in ["rebound.test", "localhost"] {
        for page in ["/", "/login", &path(&scene.plan), "/assets/surface.css", "/healthz"] {
            browser.open(&format!("http://{name}:{}{page}", site.address.port()))?;
            assert_eq!(browser.status()?, 421, "{name}{page}");
            let text = browser.text()?;
            assert!(text.contains("answers nowhere else") && !text.contains("shelf"), "{text}");
        }
    }
    assert_eq!(site.tables()?, before);
    browser.open(&site.url(&scene.plan))?;
    assert_eq!(browser.status()?, 200);
    Ok(())
}

#[test]
fn a_link_decides_nothing() -> Result<()> {
    // [SURF-012, AUTH-012]
    let (site, driver) = (Site::new()?, Driver::start()?);
    let scene = scene(&site, &driver)?;
    let (browser, before) = (&scene.browser, site.tables()?);
    let query = format!("?form={}&verdict=approve&password={}", scene.form, PASSWORD.replace(' ', "+"));
    for page in [path(&scene.plan), format!("{}/decided", path(&scene.plan))] {
        browser.open(&format!("{}{page}{query}", site.origin))?;
        browser.find(".decide")?;
    }
    assert_eq!((site.tables()?, site.state(&scene.plan)?), (before, "awaiting_approval"));
    let answer = session(&site, &scene)?.decide(&scene.plan, &scene.form, "approve", PASSWORD)?;
    assert_eq!((answer.status, site.state(&scene.plan)?), (303, "approved"));
    Ok(())
}
