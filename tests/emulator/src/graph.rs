//! Streams, events and graphs: a stream that is captured keeps what it is asked for, a graph does it.

use crate::memory::Copy;
use crate::module::{KernelNode, Launch};
use crate::{INVALID_HANDLE, INVALID_VALUE, LAUNCH_FAILED, SUCCESS, driver, give};
use std::collections::BTreeMap;
use std::ffi::{c_char, c_int, c_uint, c_ulonglong, c_void};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

#[derive(Clone)]
pub(crate) enum Step {
    Launch(Launch),
    Copy(Copy),
}

impl Step {
    fn run(&self) -> bool {
        match self {
            Step::Launch(launch) => launch.run(),
            Step::Copy(copy) => {
                copy.run();
                true
            }
        }
    }
}

#[derive(Default)]
struct State {
    last: usize,
    /// What captured streams were asked for.
    capturing: BTreeMap<usize, Vec<Step>>,
    graphs: BTreeMap<usize, Vec<Step>>,
    events: BTreeMap<usize, Option<Instant>>,
}

impl State {
    fn fresh(&mut self) -> usize {
        self.last += 16;
        self.last
    }
}

static STATE: Mutex<Option<State>> = Mutex::new(None);

fn with<R>(act: impl FnOnce(&mut State) -> R) -> R {
    act(STATE.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(State::default))
}

pub(crate) fn captures(stream: *mut c_void) -> bool {
    with(|state| state.capturing.contains_key(&(stream as usize)))
}

/// Runs a step, or keeps it for a graph. Whether all went well.
pub(crate) fn do_or_record(stream: *mut c_void, step: Step) -> bool {
    let step = with(|state| match state.capturing.get_mut(&(stream as usize)) {
        Some(steps) => {
            steps.push(step);
            None
        }
        None => Some(step),
    });
    step.is_none_or(|step| step.run())
}

driver! {
    fn cuStreamCreate(stream: *mut *mut c_void, _flags: c_uint) {
        unsafe { give(stream, with(State::fresh) as *mut c_void) }
    }
    fn cuStreamCreateWithPriority(stream: *mut *mut c_void, _flags: c_uint, _priority: c_int) {
        unsafe { give(stream, with(State::fresh) as *mut c_void) }
    }
    fn cuStreamDestroy_v2(_stream: *mut c_void) { SUCCESS }
    fn cuStreamSynchronize(stream: *mut c_void) {
        if captures(stream) { crate::CAPTURE_UNSUPPORTED } else { SUCCESS }
    }
    fn cuStreamQuery(_stream: *mut c_void) { SUCCESS }
    fn cuStreamWaitEvent(_stream: *mut c_void, _event: *mut c_void, _flags: c_uint) { SUCCESS }
    fn cuStreamIsCapturing(stream: *mut c_void, status: *mut c_int) {
        unsafe { give(status, c_int::from(captures(stream))) }
    }
    fn cuThreadExchangeStreamCaptureMode(_mode: *mut c_int) { SUCCESS }
    fn cuStreamBeginCapture_v2(stream: *mut c_void, _mode: c_uint) {
        with(|state| match state.capturing.insert(stream as usize, Vec::new()) {
            Some(_) => INVALID_VALUE,
            None => SUCCESS,
        })
    }
    fn cuStreamEndCapture(stream: *mut c_void, graph: *mut *mut c_void) {
        with(|state| match state.capturing.remove(&(stream as usize)) {
            Some(steps) => {
                let number = state.fresh();
                state.graphs.insert(number, steps);
                unsafe { give(graph, number as *mut c_void) }
            }
            None => INVALID_VALUE,
        })
    }
    fn cuGraphInstantiateWithFlags(exec: *mut *mut c_void, graph: *mut c_void, _flags: c_ulonglong) {
        with(|state| match state.graphs.get(&(graph as usize)).cloned() {
            Some(steps) => {
                let number = state.fresh();
                state.graphs.insert(number, steps);
                unsafe { give(exec, number as *mut c_void) }
            }
            None => INVALID_HANDLE,
        })
    }
    fn cuGraphInstantiate_v2(
        exec: *mut *mut c_void, graph: *mut c_void, _node: *mut *mut c_void, _log: *mut c_char, _size: usize,
    ) {
        unsafe { cuGraphInstantiateWithFlags(exec, graph, 0) }
    }
    fn cuGraphCreate(graph: *mut *mut c_void, _flags: c_uint) {
        let number = with(|state| {
            let number = state.fresh();
            state.graphs.insert(number, Vec::new());
            number
        });
        unsafe { give(graph, number as *mut c_void) }
    }
    fn cuGraphAddKernelNode(
        node: *mut *mut c_void, graph: *mut c_void, before: *const *mut c_void, count: usize, kernel: *const KernelNode,
    ) {
        let launch = match unsafe { (*kernel).launch() } {
            Ok(launch) => launch,
            Err(code) => return code,
        };
        with(|state| {
            let Some(steps) = state.graphs.get_mut(&(graph as usize)) else { return INVALID_HANDLE };
            // Nodes are their places, from 1. Only chains are known here.
            let chained = match count {
                0 => steps.is_empty(),
                1 => (unsafe { *before }) as usize == steps.len(),
                _ => false,
            };
            if !chained {
                return INVALID_VALUE;
            }
            steps.push(Step::Launch(launch));
            unsafe { give(node, steps.len() as *mut c_void) }
        })
    }
    fn cuGraphExecKernelNodeSetParams(exec: *mut c_void, node: *mut c_void, kernel: *const KernelNode) {
        let launch = match unsafe { (*kernel).launch() } {
            Ok(launch) => launch,
            Err(code) => return code,
        };
        with(|state| {
            let steps = state.graphs.get_mut(&(exec as usize));
            match steps.and_then(|steps| steps.get_mut((node as usize).wrapping_sub(1))) {
                Some(Step::Launch(before)) if before.same_kernel(&launch) => {
                    *before = launch;
                    SUCCESS
                }
                Some(_) => INVALID_VALUE,
                None => INVALID_HANDLE,
            }
        })
    }
    fn cuGraphUpload(_exec: *mut c_void, _stream: *mut c_void) { SUCCESS }
    fn cuGraphGetNodes(graph: *mut c_void, _nodes: *mut *mut c_void, count: *mut usize) {
        with(|state| match state.graphs.get(&(graph as usize)) {
            Some(steps) => unsafe { give(count, steps.len()) },
            None => INVALID_HANDLE,
        })
    }
    fn cuGraphLaunch(exec: *mut c_void, _stream: *mut c_void) {
        let Some(steps) = with(|state| state.graphs.get(&(exec as usize)).cloned()) else { return INVALID_HANDLE };
        if steps.iter().all(Step::run) { SUCCESS } else { LAUNCH_FAILED }
    }
    fn cuGraphExecDestroy(exec: *mut c_void) {
        with(|state| if state.graphs.remove(&(exec as usize)).is_some() { SUCCESS } else { INVALID_HANDLE })
    }
    fn cuGraphDestroy(graph: *mut c_void) {
        with(|state| if state.graphs.remove(&(graph as usize)).is_some() { SUCCESS } else { INVALID_HANDLE })
    }
    fn cuEventCreate(event: *mut *mut c_void, _flags: c_uint) {
        let number = with(|state| {
            let number = state.fresh();
            state.events.insert(number, None);
            number
        });
        unsafe { give(event, number as *mut c_void) }
    }
    fn cuEventRecord(event: *mut c_void, _stream: *mut c_void) {
        with(|state| match state.events.get_mut(&(event as usize)) {
            Some(time) => {
                *time = Some(Instant::now());
                SUCCESS
            }
            None => INVALID_HANDLE,
        })
    }
    fn cuEventSynchronize(_event: *mut c_void) { SUCCESS }
    fn cuEventQuery(_event: *mut c_void) { SUCCESS }
    fn cuEventDestroy_v2(event: *mut c_void) {
        with(|state| if state.events.remove(&(event as usize)).is_some() { SUCCESS } else { INVALID_HANDLE })
    }
    fn cuEventElapsedTime(milliseconds: *mut f32, start: *mut c_void, end: *mut c_void) {
        let times = with(|state| [start, end].map(|event| state.events.get(&(event as usize)).copied().flatten()));
        match times {
            [Some(start), Some(end)] => unsafe { give(milliseconds, (end - start).as_secs_f32() * 1e3) },
            _ => INVALID_HANDLE,
        }
    }
}
