//! Faults of the system, for unit tests: calls that fail, or before which something happens, on this thread.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Write};
use std::marker::PhantomData;

use rustix::io::Errno;

/// The calls to the system that can be let fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "some are made with the feature tokens only")]
pub(super) enum Call {
    Create,
    Lock,
    Write,
    Own,
    SetMode,
    Sync,
    Rename,
    /// After the file was renamed: as on NFS, where the answer can get lost.
    Renamed,
    SyncDirectory,
    Remove,
    Empty,
    Read,
    ReadAgain,
    LockTarget,
    OpenTarget,
    OpenAbandoned,
    OpenLock,
    Note,
    RemoveLock,
    Delete,
}

/// What happens at a call.
pub(super) enum Act {
    Fail(Errno),
    /// A write that takes half of what it is given.
    Short,
    /// Something that somebody else does just before.
    Meanwhile(Box<dyn FnOnce()>),
}

struct Fault {
    call: Call,
    /// How many calls are left alone first.
    skip: usize,
    act: Act,
}

thread_local! {
    static FAULTS: RefCell<Vec<Fault>> = const { RefCell::new(Vec::new()) };
}

/// The faults that are still to come. Those that are left when this is dropped are forgotten.
pub(super) struct Faults(PhantomData<*const ()>);

impl Faults {
    pub(super) fn none() -> Self {
        assert!(FAULTS.with_borrow(Vec::is_empty), "one set of faults at a time");
        Faults(PhantomData)
    }

    pub(super) fn fail(call: Call, errno: Errno) -> Self {
        Faults::none().and(call, 0, Act::Fail(errno))
    }

    /// One more fault, at the call that comes after `skip` of its kind, counted from the fault before it.
    pub(super) fn and(self, call: Call, skip: usize, act: Act) -> Self {
        FAULTS.with_borrow_mut(|faults| faults.push(Fault { call, skip, act }));
        self
    }

    /// Ends the faults. A fault that did not strike makes a test that cannot fail.
    #[track_caller]
    pub(super) fn all_struck(self) {
        let left: Vec<_> = FAULTS.with_borrow(|faults| faults.iter().map(|fault| fault.call).collect());
        assert!(left.is_empty(), "these calls were not made: {left:?}");
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        FAULTS.with_borrow_mut(Vec::clear);
    }
}

/// What is to happen at this call, if anything.
fn next(call: Call) -> Option<Act> {
    FAULTS.with_borrow_mut(|faults| {
        let at = faults.iter().position(|fault| fault.call == call)?;
        match faults[at].skip {
            0 => Some(faults.remove(at).act),
            _ => {
                faults[at].skip -= 1;
                None
            }
        }
    })
}

pub(super) fn strike(call: Call) -> io::Result<()> {
    match next(call) {
        Some(Act::Fail(errno)) => Err(errno.into()),
        Some(Act::Meanwhile(act)) => {
            act();
            Ok(())
        }
        Some(Act::Short) => panic!("only a write can be short"),
        None => Ok(()),
    }
}

/// A file to which writes can fail.
pub(super) fn writer(file: &File) -> impl Write {
    Writer(file)
}

struct Writer<'a>(&'a File);

impl Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match next(Call::Write) {
            Some(Act::Fail(errno)) => Err(errno.into()),
            Some(Act::Short) => self.0.write(&bytes[..bytes.len().div_ceil(2)]),
            Some(Act::Meanwhile(act)) => {
                act();
                self.0.write(bytes)
            }
            None => self.0.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
