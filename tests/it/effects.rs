//! What a record says is to be done outside it.

use std::cell::RefCell;

use postern::effect::{Undone, perform_each};
use postern::machine::Effect;

use crate::world::{World, block};

#[test]
fn an_effect_that_cannot_be_done_or_settled_holds_up_no_other() {
    let world = World::new(&[]);
    world.platform.lost.borrow_mut().push("tell");
    let tell = Effect::Tell { kind: "once", id: "x".to_owned(), command: serde_json::Value::Null, then: "told".to_owned() };
    let effects = vec![Effect::Step("wrong".to_owned()), tell, Effect::Step("last".to_owned())];
    let settled = RefCell::new(Vec::new());
    let undone = block(perform_each(effects, &world.cx(""), |command| {
        settled.borrow_mut().push(command.to_owned());
        if command == "wrong" { Err("no such command".to_owned()) } else { Ok(()) }
    }));
    assert_eq!(*settled.borrow(), ["wrong", "last"]);
    assert!(matches!(&undone[..], [Undone::Unsettled(first), Undone::Outside(_)] if first == "no such command"), "{undone:?}");
}
