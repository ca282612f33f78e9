//! Places in status lists for tokens that are about to be issued: an isolate holds some for each holder, so that most tokens cost the
//! holder's record no write.

use std::rc::Rc;

use super::Denied;
use crate::cx::Cx;
use crate::id::Holder;
use crate::machine::places::BLOCK_USE;
use crate::machine::standing::Standing;
use crate::machine::status_index::Block;
use crate::memory::Places;
use crate::status;
use crate::store::Ports;
use crate::time::Ttl;
use crate::verify;

/// Asks the holder whether a token that lives for `ttl` may be issued, and takes a place for it. `ask` bears repetition: it is asked
/// again with new places when those at hand are void.
pub(super) async fn with<P: Ports, T>(
    holder: &Holder,
    ttl: Ttl,
    ask: impl AsyncFn(Option<(Block, Ttl)>) -> Result<Option<(Standing, T)>, Denied>,
    cx: &Cx<'_, P>,
) -> Result<Option<(Rc<Standing>, T, Block)>, Denied> {
    let held = cx.memory.places.borrow().find(holder).filter(|places| cx.now < places.until);
    if held.as_ref().is_some_and(|places| !places.blocks.is_empty()) {
        let Some((standing, more)) = ask(None).await? else { return Ok(None) };
        let standing = heard(holder, standing, cx);
        if let Some(place) = take(holder, &standing, cx) {
            return Ok(Some((standing, more, place)));
        }
    }
    let last = held.map_or(status::FIRST, |places| places.last.saturating_mul(2).min(status::MOST));
    let block = status::block(last, cx).await?;
    let Some((standing, more)) = ask(Some((block, ttl))).await? else { return Ok(None) };
    let standing = heard(holder, standing, cx);
    keep(holder, block, &standing, cx);
    Ok(take(holder, &standing, cx).map(|place| (standing, more, place)))
}

/// The same for what can be asked once: always with new places.
pub(super) async fn with_new<P: Ports, T>(
    holder: &Holder,
    ttl: Ttl,
    ask: impl AsyncFnOnce(Option<(Block, Ttl)>) -> Result<(Standing, T), Denied>,
    cx: &Cx<'_, P>,
) -> Result<(Rc<Standing>, T, Block), Denied> {
    let mut block = status::block(status::FIRST, cx).await?;
    let (standing, more) = ask(Some((block, ttl))).await?;
    let standing = heard(holder, standing, cx);
    let place = block.split(1).ok_or(Denied::NoPlaces)?;
    keep(holder, block, &standing, cx);
    Ok((standing, more, place))
}

fn heard<P>(holder: &Holder, standing: Standing, cx: &Cx<'_, P>) -> Rc<Standing> {
    let standing = Rc::new(standing);
    verify::note(holder, Some(standing.clone()), cx);
    standing
}

/// Adds a block to those held; what others hold already is used up first.
fn keep<P>(holder: &Holder, block: Block, standing: &Standing, cx: &Cx<'_, P>) {
    let mut memory = cx.memory.places.borrow_mut();
    let held = memory.find(holder).filter(|places| places.epoch == standing.epoch && cx.now < places.until);
    let mut places = held.unwrap_or(Places { epoch: standing.epoch, until: cx.now.plus(BLOCK_USE), blocks: Vec::new(), last: 0 });
    places.last = block.len;
    places.blocks.push(block);
    memory.insert(holder.clone(), places);
}

/// One of the places that this isolate holds, unless there is none or they are void.
fn take<P>(holder: &Holder, standing: &Standing, cx: &Cx<'_, P>) -> Option<Block> {
    let mut memory = cx.memory.places.borrow_mut();
    let mut places = memory.find(holder).filter(|places| places.epoch == standing.epoch && cx.now < places.until)?;
    let block = places.blocks.first_mut()?;
    let place = block.split(1)?;
    if block.len == 0 {
        places.blocks.remove(0);
    }
    memory.insert(holder.clone(), places);
    Some(place)
}
