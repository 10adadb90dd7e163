//! What a person does in a browser, for there is no API for it: sign up, open the link in an e-mail,
//! accept an invitation.

use pullpass_fleet::store::Account;
use secrecy::{ExposeSecret, SecretString};

use super::astray;
use super::stage::Stage;
use crate::error::Result;

/// Fills in the sign-up form and opens the link in the e-mail.
pub(super) async fn sign_up(stage: &Stage, account: &Account) -> Result<()> {
    let form = form(&[
        ("email", &account.email),
        ("username", account.id.as_str()),
        ("password", account.password.expose_secret()),
    ]);
    submit(stage, "/signup", &form, 201, "sign up").await?;
    let link = mailed_link(stage, account).await?;
    let answer = stage.ask("GET", &link, &[], String::new()).await?;
    is(answer.status, 200, "confirm an e-mail address")
}

/// Opens the invitation in the newest e-mail, signs in and accepts.
pub(super) async fn accept(stage: &Stage, account: &Account) -> Result<()> {
    let form = form(&[
        ("username", account.id.as_str()),
        ("password", account.password.expose_secret()),
    ]);
    let link = mailed_link(stage, account).await?;
    submit(stage, &link, &form, 200, "accept an invitation").await
}

fn form(fields: &[(&str, &str)]) -> SecretString {
    let text: String = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    SecretString::from(text)
}

async fn submit(
    stage: &Stage,
    path: &str,
    form: &SecretString,
    status: u16,
    doing: &str,
) -> Result<()> {
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let body = form.expose_secret().to_owned();
    let answer = stage.ask("POST", path, &headers, body).await?;
    is(answer.status, status, doing)
}

/// The link in the newest e-mail to that address.
async fn mailed_link(stage: &Stage, account: &Account) -> Result<String> {
    let to: String = form_urlencoded::byte_serialize(account.email.as_bytes()).collect();
    let headers = [("accept", "application/json")];
    let answer = stage
        .ask("GET", &format!("/inbox?to={to}"), &headers, String::new())
        .await?;
    answer.json()["messages"][0]["link"]
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| astray("read an e-mail", format!("`{}` got none", account.email)))
}

fn is(status: u16, wanted: u16, doing: &str) -> Result<()> {
    match status == wanted {
        true => Ok(()),
        false => Err(astray(doing, format!("the page answered {status}"))),
    }
}
