//! Requests that no browser would send, and those that it sends unasked.

use anyhow::Result;
use browser::{Answer, PASSWORD, Person, Request, Site, path};

/// The paths of a plan and of all that is beside it.
fn pages(plan: &str) -> Vec<String> {
    let own = ["", "/decided", "/header.json", "/intent.json", "/review.json", "/receipt.json"];
    let fixed = ["/", "/mine", "/history", "/login", "/logout", "/healthz", "/assets/surface.css", "/assets/icon.svg"];
    own.iter().map(|own| format!("{plan}{own}")).chain(fixed.map(str::to_owned)).collect()
}

#[test]
fn looking_changes_nothing() -> Result<()> {
    // [SURF-012]
    let site = Site::new()?;
    let plan = site.plan("a")?;
    let (alice, before) = (site.person("alice")?, site.tables()?);
    let form = alice.form(&plan)?;
    // Previews of links, prefetches, crawlers, and whoever tries what else there might be.
    let ways =
        [("user-agent", "Slackbot-LinkExpanding 1.0"), ("sec-purpose", "prefetch;prerender"), ("purpose", "preview")];
    for page in pages(&path(&plan)) {
        for person in [&alice, &site.holder("")] {
            let whole = person.get(&page)?.undated();
            let head = person.request("HEAD", &page).send(site.address)?.undated();
            assert_eq!((head.status, head.body.as_str()), (whole.status, ""), "{page}");
            for (name, value) in ways {
                person.request("GET", &page).header(name, value).send(site.address)?;
            }
            let own = |method| person.request(method, &page).header("origin", &site.origin).send(site.address);
            for method in ["OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "APPROVE"] {
                let status = own(method)?.status;
                assert!([303, 404, 405].contains(&status), "{method} {page}: {status}");
            }
        }
    }
    assert_eq!(site.tables()?, before);
    // The control: a form that was rendered before all that is still good.
    assert_eq!(alice.decide(&plan, &form, "approve", PASSWORD)?.status, 303);
    assert_ne!(site.tables()?, before);
    Ok(())
}

#[test]
fn a_plan_of_others_is_no_plan() -> Result<()> {
    // [SURF-001, SURF-011]
    let site = Site::quorum()?;
    let plan = path(&site.plan("a")?);
    let unknown = "/plans/019ab12c-0000-7000-8000-000000000001".to_owned();
    let (dave, nobody, bob) = (site.person("dave")?, site.holder(""), site.person("bob")?);
    let answer = |person: &Person<'_>, method: &str, page: &str| -> Result<Answer> {
        let request = person.request(method, page).header("origin", &site.origin);
        let fields = [("form", "AAAA"), ("verdict", "approve"), ("password", PASSWORD)];
        let request = if method == "POST" { request.form(&fields) } else { request };
        Ok(request.send(site.address)?.undated())
    };
    for (there, missing) in pages(&plan).iter().zip(pages(&unknown)).take(6) {
        for method in ["GET", "HEAD", "POST", "DELETE"] {
            let found = answer(&dave, method, there)?;
            assert_eq!(found, answer(&dave, method, &missing)?, "{method} {there}");
            assert!(
                found.status == 404 || method == "DELETE" || method == "POST",
                "{method} {there}: {}",
                found.status
            );
            let before_login = answer(&nobody, method, there)?;
            assert!(
                [303, 405].contains(&before_login.status) && !before_login.body.contains("shelf"),
                "{method} {there}"
            );
        }
    }
    // Before the login two plans differ in the address that is asked for, and in nothing else.
    let onward = |page: &str| -> Result<Answer> {
        let mut answer = answer(&nobody, "GET", page)?;
        let named = answer.headers.iter_mut().find(|(name, _)| name == "location");
        named.into_iter().for_each(|(_, to)| *to = to.replace(page, ""));
        Ok(answer)
    };
    assert_eq!(onward(&plan)?, onward(&unknown)?);
    assert_eq!(answer(&bob, "GET", &plan)?.status, 200, "the control: there is one");
    Ok(())
}

#[test]
fn another_host_is_turned_away_before_anything_else() -> Result<()> {
    // [SURF-014]
    let site = Site::new()?;
    let plan = site.plan("a")?;
    let (alice, before) = (site.person("alice")?, site.tables()?);
    let (host, port) = (site.address.to_string(), site.address.port());
    let form = alice.form(&plan)?;
    let fields = [("form", form.as_str()), ("verdict", "approve"), ("password", PASSWORD)];
    let request = |method: &str, target: &str| {
        let request = Request::new(method, target).header("cookie", &alice.cookie).header("origin", &site.origin);
        if method == "POST" { request.form(&fields) } else { request }
    };
    let (page, port_before, port_after) = (path(&plan), port.wrapping_sub(1), port.wrapping_add(1));
    for method in ["GET", "POST"] {
        for other in [
            "attacker.test".to_owned(),
            "127.0.0.1".to_owned(),
            format!("localhost:{port}"),
            format!("127.0.0.1:{port_before}"),
            format!("127.0.0.1:{port_after}"),
            format!("127.0.0.1:{port}.attacker.test"),
            format!("127.0.0.1:{port}@attacker.test"),
            format!("{host}:80"),
            format!("{host}, attacker.test"),
            format!("[::ffff:127.0.0.1]:{port}"),
            format!("127.1:{port}"),
        ] {
            let answer = request(method, &page).header("host", &other).send(site.address)?;
            assert_eq!(answer.status, 421, "{method} {other}");
            assert!(!answer.body.contains("shelf"));
        }
        // Twice, differently; in the target; and by what proxies say, which counts nothing.
        let twice = request(method, &page).header("host", &host).header("host", "attacker.test");
        assert!([400, 421].contains(&twice.send(site.address)?.status));
        let absolute = format!("http://attacker.test{page}");
        assert_eq!(request(method, &absolute).header("host", &host).send(site.address)?.status, 421);
        for name in ["x-forwarded-host", "forwarded", "x-host", "x-original-host"] {
            let forwarded = request(method, &page).header("host", "attacker.test").header(name, &host);
            assert_eq!(forwarded.send(site.address)?.status, 421, "{name}");
        }
        let without = request(method, &page).send(site.address)?;
        assert!([400, 421].contains(&without.status), "{}", without.status);
    }
    assert_eq!(site.tables()?, before);
    // The controls: the host in capitals, had it letters; in the target; and beside what a proxy says.
    let answer = request("GET", &page).header("host", &host).header("x-forwarded-host", "attacker.test");
    assert_eq!(answer.send(site.address)?.status, 200);
    assert_eq!(request("GET", &format!("http://{host}{page}")).header("host", &host).send(site.address)?.status, 200);
    assert_eq!(request("POST", &page).header("host", &host).send(site.address)?.status, 303);
    assert_eq!(site.state(&plan)?, "approved");
    Ok(())
}

#[test]
fn a_form_without_the_right_origin_is_refused() -> Result<()> {
    // [FORM-003]
    let site = Site::new()?;
    let plan = site.plan("a")?;
    let (alice, before) = (site.person("alice")?, site.tables()?);
    let form = alice.form(&plan)?;
    let fields = [("form", form.as_str()), ("verdict", "approve"), ("password", PASSWORD)];
    let send = |headers: &[(&str, &str)]| -> Result<u16> {
        let request = alice.request("POST", &path(&plan));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        Ok(request.form(&fields).send(site.address)?.status)
    };
    let own = ("origin", site.origin.as_str());
    let with_slash = format!("{}/", site.origin);
    let https = site.origin.replace("http:", "https:");
    let longer = format!("{}.attacker.test", site.origin);
    for headers in [
        &[][..],
        &[("origin", "null")],
        &[("origin", "")],
        &[("origin", "http://attacker.test")],
        &[("origin", &with_slash)],
        &[("origin", &https)],
        &[("origin", &longer)],
        &[("origin", "http://127.0.0.1")],
        &[own, ("origin", "http://attacker.test")],
        &[own, ("sec-fetch-site", "cross-site")],
        &[own, ("sec-fetch-site", "same-site")],
        &[own, ("sec-fetch-site", "none")],
        &[own, ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
        &[("origin", "http://attacker.test"), ("sec-fetch-site", "same-origin")],
        // What a referrer says counts nothing.
        &[("referer", &with_slash)],
    ] {
        assert_eq!(send(headers)?, 403, "{headers:?}");
    }
    assert_eq!((site.tables()?, site.state(&plan)?), (before, "awaiting_approval"));
    assert_eq!(send(&[own])?, 303);
    assert_eq!(site.state(&plan)?, "approved");
    Ok(())
}

#[test]
fn no_path_leads_out_of_the_assets() -> Result<()> {
    // [SURF-011]
    let site = Site::new()?;
    let (alice, nobody) = (site.person("alice")?, site.holder(""));
    let style = nobody.get("/assets/surface.css")?;
    assert_eq!((style.status, style.header("content-type")), (200, Some("text/css; charset=utf-8")), "the control");
    for target in [
        "/assets/../../../../etc/passwd",
        "/assets/..%2f..%2f..%2fetc%2fpasswd",
        "/assets/%2e%2e/%2e%2e/etc/passwd",
        "/assets/....//....//etc/passwd",
        "/assets/..\\..\\etc\\passwd",
        "/assets/%2fetc%2fpasswd",
        "/assets//etc/passwd",
        "/assets/surface.css%00.html",
        "/assets/surface.css/../../accounts.toml",
        "/assets/accounts.toml",
        "/assets/",
        "/assets",
        "/../Cargo.toml",
        "//etc/passwd",
        "/plans/../../../etc/passwd",
        "/plans/%2e%2e%2f%2e%2e/accounts.toml",
    ] {
        for person in [&nobody, &alice] {
            let answer = person.get(target)?;
            assert!([303, 400, 404].contains(&answer.status), "{target}: {}", answer.status);
            assert!(!answer.body.contains("root:") && !answer.body.contains("argon2"), "{target}");
            if answer.status == 303 {
                assert_eq!(answer.location(), "/login?next=/", "{target}");
            }
        }
    }
    Ok(())
}

#[test]
fn every_answer_has_the_headers() -> Result<()> {
    // [SURF-015]
    let site = Site::new()?;
    let plan = site.plan("a")?;
    let alice = site.person("alice")?;
    let mut answers = Vec::new();
    for page in pages(&path(&plan)) {
        answers.push((page.clone(), alice.get(&page)?));
        answers.push((page.clone(), site.holder("").get(&page)?));
        answers.push((page.clone(), alice.request("POST", &page).send(site.address)?));
        answers.push((page.clone(), alice.request("DELETE", &page).header("origin", &site.origin).send(site.address)?));
        answers.push((page.clone(), Request::new("GET", &page).header("host", "attacker.test").send(site.address)?));
    }
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; \
                  base-uri 'none'";
    for (page, answer) in answers {
        for (name, value) in [
            ("content-security-policy", policy),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{page}: {}", answer.status);
        }
        assert_eq!(answer.header("access-control-allow-origin"), None, "{page}");
    }
    Ok(())
}
