//! What a person does, in a browser: sign up for a Docker ID, read mail, confirm an address, accept
//! an invitation. There is no API for any of it, as there is none on Docker Hub.

use serde_json::{Value, json};

use crate::http::{Place, Request, Response, time};
use crate::world::World;
use crate::world::account::SignUp;
use crate::world::mail::{Link, Mail};
use crate::world::secret::Secret;
use crate::world::session::By;

/// Answers one request.
pub(crate) fn answer(world: &mut World, request: &Request, place: &Place) -> Response {
    let parts = request.parts();
    match (request.method.as_str(), parts.as_slice()) {
        ("GET", []) => home(place),
        ("GET", ["signup"]) => page(200, "Create your Docker ID", &sign_up_form(&[], "", "")),
        ("POST", ["signup"]) => sign_up(world, request, place),
        ("GET", ["confirm"]) => confirm(world, request),
        ("GET", ["invitation"]) => invitation(world, request, &[]),
        ("POST", ["invitation"]) => accept(world, request, place),
        ("GET", ["inbox"]) => inbox(world, request, place),
        ("GET", ["inbox", id]) => message(world, request, place, id),
        _ => page(404, "Not found", "<p>There is no such page.</p>"),
    }
}

/// A page that works without scripts: a browser test finds its fields by their labels.
fn page(status: u16, title: &str, content: &str) -> Response {
    let title = escaped(title);
    let html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <style>body{{font:1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:3rem auto;padding:0 1rem}}\
         label{{display:block;margin:1rem 0}}input{{display:block;width:100%;padding:.4rem;font:inherit}}\
         button{{padding:.5rem 1rem;font:inherit}}[role=alert]{{color:#a00}}</style></head>\
         <body><h1>{title}</h1>\n{content}\n</body></html>\n"
    );
    Response::bytes(status, "text/html; charset=utf-8", html.into_bytes())
        .with("cache-control", "no-store")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn home(place: &Place) -> Response {
    let urls = &place.urls;
    let systems = [
        ("Docker Hub", &urls.hub),
        ("registry", &urls.registry),
        ("CircleCI", &urls.circleci),
        ("GitHub", &urls.github),
    ];
    let systems: String = systems
        .iter()
        .map(|(name, url)| format!("<li>{name}: <code>{url}</code></li>"))
        .collect();
    page(
        200,
        "The sandbox",
        &format!(
            "<p>A whole organisation on loopback. Nothing here is real.</p><ul>{systems}</ul>\
             <p><a href=\"/signup\">Create a Docker ID</a> · <a href=\"/inbox\">Read mail</a> · \
             <a href=\"/_sandbox/state\">State</a> · <a href=\"/_sandbox/journal\">Journal</a></p>"
        ),
    )
}

fn problems(list: &[String]) -> String {
    let items: String = list
        .iter()
        .map(|problem| format!("<li>{}</li>", escaped(problem)))
        .collect();
    match list {
        [] => String::new(),
        _ => format!("<div role=\"alert\"><ul>{items}</ul></div>"),
    }
}

fn sign_up_form(wrong: &[String], name: &str, email: &str) -> String {
    format!(
        "{}<form method=\"post\" action=\"/signup\">\
         <label>E-mail <input name=\"email\" type=\"email\" autocomplete=\"email\" value=\"{}\" required></label>\
         <label>Username <input name=\"username\" autocomplete=\"username\" value=\"{}\" required></label>\
         <label>Password <input name=\"password\" type=\"password\" autocomplete=\"new-password\" required></label>\
         <button>Sign up</button></form>",
        problems(wrong),
        escaped(email),
        escaped(name),
    )
}

fn field(form: &[(String, String)], name: &str) -> String {
    form.iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.trim().to_owned())
        .unwrap_or_default()
}

fn sign_up(world: &mut World, request: &Request, place: &Place) -> Response {
    let form = request.form();
    let (name, email) = (field(&form, "username"), field(&form, "email"));
    let new = SignUp {
        name: name.clone(),
        email: email.clone(),
        password: Secret::new(field(&form, "password")),
    };
    match world.sign_up(new, place.now) {
        Ok(()) => page(
            201,
            "Check your e-mail",
            &format!(
                "<p>We wrote to <strong>{}</strong>. Follow the link in the message to verify the address of \
                 <strong>{}</strong>.</p><p><a href=\"/inbox\">Read mail</a></p>",
                escaped(&email),
                escaped(&name)
            ),
        ),
        Err(wrong) => page(
            422,
            "Create your Docker ID",
            &sign_up_form(&wrong, &name, &email),
        ),
    }
}

fn code(request: &Request) -> Secret {
    Secret::new(request.query("code").unwrap_or_default())
}

fn confirm(world: &mut World, request: &Request) -> Response {
    match world.confirm(&code(request)) {
        Some(name) => page(
            200,
            "Verified",
            &format!(
                "<p>The e-mail address of <strong>{}</strong> is verified.</p>",
                escaped(&name)
            ),
        ),
        None => page(404, "Not found", "<p>This link does not hold.</p>"),
    }
}

fn invitation(world: &World, request: &Request, wrong: &[String]) -> Response {
    let code = code(request);
    let Some((organisation, invitation)) = world.invitation(&code) else {
        return page(404, "Not found", "<p>This invitation is not open.</p>");
    };
    let team = invitation.team.as_ref().map_or_else(String::new, |team| {
        format!(", in the team <strong>{}</strong>", escaped(team))
    });
    // An address that has no Docker ID yet is asked to make one first.
    let known = world.accounts.iter().find(|(name, account)| {
        **name == invitation.invitee || account.email.eq_ignore_ascii_case(&invitation.invitee)
    });
    let name = known.map_or("", |(name, _)| name.as_str());
    let sign_up = match known {
        Some(_) => "",
        None => {
            "<p>No Docker ID has this address yet. <a href=\"/signup\">Create one</a>, then come back.</p>"
        }
    };
    let content = format!(
        "{}<p>{} invited <strong>{}</strong> to join <strong>{}</strong>{team}.</p>{sign_up}\
         <form method=\"post\" action=\"/invitation?code={}\">\
         <label>Username <input name=\"username\" autocomplete=\"username\" value=\"{}\" required></label>\
         <label>Password <input name=\"password\" type=\"password\" autocomplete=\"current-password\" required></label>\
         <button>Sign in and accept</button></form>",
        problems(wrong),
        escaped(&invitation.inviter),
        escaped(&invitation.invitee),
        escaped(organisation),
        escaped(code.expose()),
        escaped(name),
    );
    let status = if wrong.is_empty() { 200 } else { 422 };
    page(status, "Join an organisation", &content)
}

fn accept(world: &mut World, request: &Request, place: &Place) -> Response {
    let form = request.form();
    let name = field(&form, "username");
    let password = Secret::new(field(&form, "password"));
    let signed_in = world
        .sign_in(&name, &password, place.now)
        .is_ok_and(|session| session.by == By::Password);
    if !signed_in {
        let wrong = "Wrong username or password, or the address is not verified.".to_owned();
        return invitation(world, request, &[wrong]);
    }
    match world.accept(&code(request), &name, place.now) {
        Ok(()) => page(
            200,
            "Welcome",
            &format!("<p><strong>{}</strong> has joined.</p>", escaped(&name)),
        ),
        Err(refusal) => {
            let text = match refusal {
                crate::world::Refusal::Forbidden(text) | crate::world::Refusal::NotFound(text) => {
                    text
                }
                _ => "This cannot be done.".to_owned(),
            };
            page(
                403,
                "Not accepted",
                &format!("<p role=\"alert\">{}</p>", escaped(&text)),
            )
        }
    }
}

fn link(mail: &Mail, place: &Place) -> String {
    let (path, code) = match &mail.link {
        Link::Confirm(code) => ("confirm", code),
        Link::Accept(code) => ("invitation", code),
    };
    format!("{}/{path}?code={}", place.urls.sandbox, code.expose())
}

fn wants_json(request: &Request) -> bool {
    request
        .header("accept")
        .is_some_and(|accept| accept.contains("application/json"))
}

fn as_json(mail: &Mail, place: &Place) -> Value {
    json!({
        "id": mail.id,
        "to": mail.to,
        "subject": mail.subject,
        "text": mail.text,
        "link": link(mail, place),
        "sent_at": time::micros(mail.sent),
    })
}

/// All mail, or that to one address (`?to=`), the newest first.
fn inbox(world: &World, request: &Request, place: &Place) -> Response {
    let to = request.query("to").filter(|to| !to.is_empty());
    let mail = world
        .mail
        .iter()
        .rev()
        .filter(|mail| to.is_none_or(|to| mail.to.eq_ignore_ascii_case(to)));
    if wants_json(request) {
        let messages: Vec<Value> = mail.map(|mail| as_json(mail, place)).collect();
        return Response::json(200, &json!({ "messages": messages }));
    }
    let items: String = mail
        .map(|mail| {
            format!(
                "<li><a href=\"/inbox/{}\">{}</a> to {}</li>",
                mail.id,
                escaped(&mail.subject),
                escaped(&mail.to)
            )
        })
        .collect();
    let content = match items.as_str() {
        "" => "<p>No mail.</p>".to_owned(),
        _ => format!("<ul>{items}</ul>"),
    };
    page(200, "Inbox", &content)
}

fn message(world: &World, request: &Request, place: &Place, id: &str) -> Response {
    let Some(mail) = world.mail.iter().find(|mail| mail.id.to_string() == id) else {
        return page(404, "Not found", "<p>There is no such message.</p>");
    };
    if wants_json(request) {
        return Response::json(200, &as_json(mail, place));
    }
    let words = match mail.link {
        Link::Confirm(_) => "Verify e-mail address",
        Link::Accept(_) => "See the invitation",
    };
    let content = format!(
        "<p>To {}</p><p>{}</p><p><a href=\"{}\">{words}</a></p>",
        escaped(&mail.to),
        escaped(&mail.text),
        escaped(&link(mail, place)),
    );
    page(200, &mail.subject, &content)
}
