//! The forms of our own pages send what is described.

use super::{FORM, operations};

#[test]
fn every_field_of_a_page_s_form_is_described() {
    let templates = concat!(env!("CARGO_MANIFEST_DIR"), "/templates/pages");
    let mut forms = 0;
    let files = std::fs::read_dir(templates).unwrap().map(|file| file.unwrap().path());
    for page in files.filter(|path| path.is_file()).map(|path| std::fs::read_to_string(path).unwrap()) {
        for form in page.split("<form").skip(1).map(|rest| rest.split("</form>").next().unwrap()) {
            let Some((_, action)) = form.split_once("action=\"") else { continue };
            let (path, method) = (action.split('"').next().unwrap(), if form.contains("method=\"post\"") { "POST" } else { "GET" });
            let found = operations().find(|(known, template, _)| *known == method && *template == path);
            let (.., operation) = found.unwrap_or_else(|| panic!("{method} {path} is not described"));
            let fields = &operation["requestBody"]["content"][FORM]["schema"]["properties"];
            for name in form.split("name=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
                let query = || operation["parameters"].as_array().is_some_and(|all| all.iter().any(|parameter| parameter["name"] == name));
                assert!(fields.get(name).is_some() || (method == "GET" && query()), "{name} of {path} is not described");
            }
            forms += 1;
        }
    }
    assert!(forms > 15, "only {forms} forms were found");
}
