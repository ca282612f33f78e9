//! The letters: both forms, with friendly values and with hostile ones.

use postern::email::Address;
use postern::mail;

use crate::markup::read;
use crate::pages::{Words, check_hostile, keep};

#[test]
fn letters() {
    for words in [Words::friendly(), Words::hostile(), Words::long()] {
        let to = Address::parse("ada@example.com").unwrap();
        let link = format!("https://auth.example.com/login/link?token={}", words.token);
        let code = mail::sign_in(&to, &words.service, "012345", &link, 10).unwrap();
        let claim = mail::claim(&to, &words.service, Some(&words.name), &link, 60).unwrap();
        for (name, letter) in [("mail-login", &code), ("mail-claim", &claim)] {
            keep(&format!("{name}.{}.html", words.set), &letter.html);
            keep(&format!("{name}.{}.txt", words.set), &letter.text);
            check_hostile(name, &letter.html);
            let elements = read(&letter.html);
            let hrefs: Vec<_> = elements.iter().filter_map(|element| element.get("href")).collect();
            assert!(hrefs.len() == 1 && hrefs[0].starts_with("https://auth.example.com/"), "{name}: one way to go");
            assert!(elements.iter().all(|element| element.get("src").is_none()), "{name}: nothing from elsewhere");
            assert_eq!(letter.links, std::slice::from_ref(&link));
            assert!(letter.text.contains(&link) && letter.text.contains(&words.service) && letter.text.contains("ada@example.com"));
            assert_eq!(letter.to, "ada@example.com");
        }
        assert!(code.text.contains("\n    012345\n") && code.html.contains("012345") && code.text.contains("10 minutes"));
        // A locked screen shows the subject and how the letter begins.
        assert!(!code.subject.contains("012345") && !code.text.get(..80).unwrap().contains("012345"));
        assert!(!claim.subject.contains(&words.name) && !claim.text.contains(&words.path));
    }
    let to = Address::parse("ada@example.com").unwrap();
    let nameless = mail::claim(&to, "Example", None, "https://auth.example.com/claim", 60).unwrap();
    assert!(nameless.text.contains("It gave no name.") && nameless.html.contains("It gave no name."));
}
