//! Random histories of a tree against a model that is simple enough to be right.

use postern::tenant::{Outcome, Patch, Refused, Status, What};
use proptest::prelude::*;

use super::{ROOT, by, create, own, page, profile, reg};
use crate::sqlite::Database;

#[derive(Clone, Debug)]
enum Op {
    Create { caller: usize, parent: usize, name: u8, depth: u32 },
    Rename { caller: usize, id: usize, name: u8 },
    Deepen { caller: usize, id: usize, depth: u32 },
    Status { caller: usize, id: usize, status: Status },
}

fn op() -> impl Strategy<Value = Op> {
    let which = || any::<prop::sample::Index>().prop_map(|index| index.index(1 << 16));
    prop_oneof![
        6 => (which(), which(), 0_u8..4, 0_u32..5).prop_map(|(caller, parent, name, depth)| Op::Create { caller, parent, name, depth }),
        1 => (which(), which(), 0_u8..4).prop_map(|(caller, id, name)| Op::Rename { caller, id, name }),
        2 => (which(), which(), 0_u32..6).prop_map(|(caller, id, depth)| Op::Deepen { caller, id, depth }),
        2 => (which(), which(), prop::sample::select(vec![Status::Active, Status::Active, Status::Suspended, Status::Revoked]))
            .prop_map(|(caller, id, status)| Op::Status { caller, id, status }),
    ]
}

#[derive(Clone, Debug)]
struct Known {
    parent: Option<u32>,
    name: String,
    max: u32,
    status: Status,
}

/// Agents by number: the first is 1, the root.
struct Model(Vec<Known>);

impl Model {
    fn of(&self, id: u32) -> &Known {
        &self.0[id as usize - 1]
    }

    fn change(&mut self, id: u32) -> &mut Known {
        &mut self.0[id as usize - 1]
    }

    fn ids(&self) -> impl Iterator<Item = u32> + use<> {
        1..=u32::try_from(self.0.len()).unwrap()
    }

    /// Itself first.
    fn line(&self, id: u32) -> Vec<u32> {
        std::iter::successors(Some(id), |id| self.of(*id).parent).collect()
    }

    fn reaches(&self, caller: u32, id: u32) -> bool {
        self.line(id).contains(&caller)
    }

    fn is_active(&self, id: u32) -> bool {
        self.line(id).iter().all(|id| self.of(*id).status == Status::Active)
    }

    fn depth(&self, id: u32) -> u32 {
        u32::try_from(self.line(id).len()).unwrap() - 1
    }

    /// How many levels there are below it.
    fn height(&self, id: u32) -> u32 {
        self.ids().filter(|other| self.reaches(id, *other)).map(|other| self.depth(other) - self.depth(id)).max().unwrap()
    }

    /// How many levels all that is above `id` and itself leave below it; `skip` counts for nothing.
    fn room(&self, id: u32, skip: Option<u32>) -> Option<i64> {
        let line = self.line(id).into_iter().zip(0_i64..).filter(|(above, _)| Some(*above) != skip);
        line.map(|(above, levels)| i64::from(self.of(above).max) - levels).min()
    }

    fn is_taken(&self, parent: Option<u32>, name: &str, except: u32) -> bool {
        parent.is_some() && self.ids().any(|id| id != except && self.of(id).parent == parent && self.of(id).name == name)
    }

    /// In the order of the tree.
    fn below(&self, id: u32) -> Vec<u32> {
        let children = self.ids().filter(|child| self.of(*child).parent == Some(id));
        std::iter::once(id).chain(children.flat_map(|child| self.below(child))).collect()
    }

    /// What is refused whatever is to be done to `id`.
    fn bars(&self, caller: u32, id: u32) -> Option<Refused> {
        if !self.is_active(caller) {
            Some(Refused::Inactive)
        } else if !self.reaches(caller, id) {
            Some(Refused::Missing)
        } else {
            None
        }
    }

    fn carry_out(&mut self, op: &Op, id: u32, caller: u32) -> (What, Result<bool, Refused>) {
        let bars = self.bars(caller, id);
        let room = |room: Option<i64>| u32::try_from(room.unwrap_or(10).max(0)).unwrap();
        match op {
            Op::Create { name, depth, .. } => {
                let (name, new) = (format!("name {name}"), u32::try_from(self.0.len()).unwrap() + 1);
                let what = create(new, id, &name, *depth);
                let left = self.room(id, None).unwrap();
                let expected = match bars {
                    Some(refused) => Err(refused),
                    None if !self.is_active(id) => Err(Refused::Inactive),
                    None if left < 1 => Err(Refused::Depth),
                    None if self.is_taken(Some(id), &name, 0) => Err(Refused::NameTaken),
                    None => {
                        let max = (*depth).min(room(Some(left - 1)));
                        self.0.push(Known { parent: Some(id), name, max, status: Status::Active });
                        Ok(true)
                    }
                };
                (what, expected)
            }
            Op::Rename { name, .. } => {
                let name = format!("name {name}");
                let what = What::Patch { id: reg(id), patch: Box::new(Patch { name: Some(name.clone()), ..Patch::default() }) };
                let expected = match bars {
                    Some(refused) => Err(refused),
                    None if self.is_taken(self.of(id).parent, &name, id) => Err(Refused::NameTaken),
                    None => Ok(std::mem::replace(&mut self.change(id).name, name.clone()) != name),
                };
                (what, expected)
            }
            Op::Deepen { depth, .. } => {
                let what = What::Patch { id: reg(id), patch: Box::new(Patch { max_child_depth: Some(*depth), ..Patch::default() }) };
                let new = (*depth).min(room(self.room(id, Some(id))));
                let expected = match bars {
                    Some(refused) => Err(refused),
                    None if new < self.height(id) => Err(Refused::DepthInUse),
                    None if new > self.of(id).max && caller == id && id != ROOT => Err(Refused::Forbidden),
                    None => Ok(std::mem::replace(&mut self.change(id).max, new) != new),
                };
                (what, expected)
            }
            Op::Status { status, .. } => {
                let expected = match bars {
                    Some(refused) => Err(refused),
                    None if self.of(id).status == *status => Ok(false),
                    None if self.of(id).status == Status::Revoked => Err(Refused::Ended),
                    None => {
                        self.change(id).status = *status;
                        Ok(true)
                    }
                };
                (What::SetStatus { id: reg(id), status: *status }, expected)
            }
        }
    }
}

fn who(op: &Op) -> (usize, usize) {
    match op {
        Op::Create { caller, parent, .. } => (*caller, *parent),
        Op::Rename { caller, id, .. } | Op::Deepen { caller, id, .. } | Op::Status { caller, id, .. } => (*caller, *id),
    }
}

/// What everybody sees, and how it stands.
fn compare(database: &Database, model: &Model) -> Result<(), TestCaseError> {
    for id in model.ids() {
        let Outcome::Agent(agent, _) = own(database, What::Agent(reg(id))) else { panic!() };
        let known = model.of(id);
        prop_assert_eq!((agent.status, agent.is_active, agent.depth), (known.status, model.is_active(id), model.depth(id)));
        prop_assert_eq!((&agent.profile.name, agent.profile.max_child_depth), (&known.name, known.max));
        let below = model.below(id);
        for status in [None, Some(Status::Active), Some(Status::Suspended), Some(Status::Revoked)] {
            let fits = |other: &u32| status.is_none_or(|status| model.of(*other).status == status);
            let expected: Vec<u32> = below.iter().copied().filter(fits).collect();
            let what = What::Agents { parent: None, status, limit: 100, offset: 0 };
            prop_assert_eq!(page(by(database, id, what)), (expected.clone(), expected.len() as u64));
            let children: Vec<u32> = model.ids().filter(|child| model.of(*child).parent == Some(id)).filter(fits).collect();
            let what = What::Agents { parent: Some(reg(id)), status, limit: 100, offset: 0 };
            prop_assert_eq!(page(by(database, id, what)), (children.clone(), children.len() as u64));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_tree_is_always_what_was_done_to_it(root in 0_u32..5, ops in prop::collection::vec(op(), 0..60)) {
        let database = Database::default();
        own(&database, What::Root { id: reg(ROOT), profile: profile("root", root) });
        let mut model = Model(vec![Known { parent: None, name: "root".to_owned(), max: root, status: Status::Active }]);
        for op in ops {
            let (caller, id) = who(&op);
            let number = |which: usize| u32::try_from(which % model.0.len()).unwrap() + 1;
            let (caller, id) = (number(caller), number(id));
            let before = database.dump();
            let (what, expected) = model.carry_out(&op, id, caller);
            match (by(&database, caller, what), expected) {
                (Outcome::Agent(_, changed), Ok(expected)) => prop_assert_eq!(changed, expected),
                (Outcome::Refused(refused), Err(expected)) => {
                    prop_assert_eq!(refused, expected);
                    prop_assert_eq!(database.dump(), before, "what is refused has changed nothing");
                }
                (outcome, expected) => prop_assert!(false, "{:?} {:?} {:?}", op, outcome, expected),
            }
        }
        compare(&database, &model)?;
    }
}
