//! Steps whose kernels are asked for at once: CUDA graphs that keep up with their step.
//!
//! To ask for a kernel takes the host some microseconds, longer than a small network's kernels take. Within
//! [`GraphStep::run`] kernels are only noted; the whole list becomes a graph, which is launched by one call. When the step
//! runs again its list is compared with that of the graph: arguments that changed (a learning rate, a counter of random
//! numbers, an address) are set anew, and a step that is another one gets a new graph. So a step may do what it likes.

use crate::driver::{self, Failure, check};
use crate::gpu::{Gpu, Handle, gpu};
use crate::launch::{Args, Grid, MOST};
use crate::memory::{Address, Free};
use crate::optimize;
use cust::sys::{CUDA_KERNEL_NODE_PARAMS, CUfunc_st, CUgraph, CUgraphExec, CUgraphNode};
use rushlight_array::{Device, Error, Result};
use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::fmt;
use std::ptr;

/// Shorter lists are not worth a graph.
const SHORT: usize = 3;
/// After so many graphs in a row that no second step could use, kernels are asked for one by one.
const PATIENCE: usize = 8;

/// A step, a function of `A`, whose kernels go to a GPU as a graph. See [`graph_step`].
pub struct GraphStep<F> {
    step: F,
    /// `None` for the CPU, where the step is just called.
    gpu: Option<&'static Gpu>,
    kept: Kept,
}

/// How a [`GraphStep`] fares.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct GraphStats {
    /// Graphs made: one, or a few where the step reads results on the way, if all steps are alike.
    pub graphs: usize,
    /// Launches of graphs.
    pub launches: usize,
    /// Kernels in those launches.
    pub kernels: usize,
    /// Kernels whose arguments were set anew.
    pub updates: usize,
    /// Kernels that were asked for one by one.
    pub single: usize,
}

/// A step that computes on a GPU as a CUDA graph: what `torch.cuda.graph` and `make_graphed_callables` are for, for small
/// networks that keep the host busier than the GPU.
///
/// The step is an ordinary function, run as it is each time: it may draw random numbers, change the learning rate, read
/// the loss now and then, take batches of other sizes. What it asks of the GPU is collected and launched as one; where it
/// reads a result, or sends something to the GPU, as two. Its results are the same bits as without a graph.
///
/// What the step computes must not be read by another thread before it returns. On the CPU the step is just called.
///
/// ```
/// use rushlight_array::{Array, DType, Device};
/// let device = rushlight_cuda::device(0).unwrap_or(Device::cpu());
/// let x = Array::full([4], 2.0, DType::F32, &device);
/// let mut step = rushlight_cuda::graph_step(&device, |factor: f64| x.scale(factor).exp().sum().offset(1.0))?;
/// let once = step.run(0.0);
/// assert_eq!(once.item::<f32>(), 5.0);
/// # Ok::<(), rushlight_array::Error>(())
/// ```
///
/// # Errors
/// If the device is neither the CPU nor a GPU.
pub fn graph_step<A, R, F: FnMut(A) -> R>(device: &Device, step: F) -> Result<GraphStep<F>> {
    let gpu = if device.is_cpu() { None } else { Some(gpu_of(device)?) };
    Ok(GraphStep { step, gpu, kept: Kept::default() })
}

fn gpu_of(device: &Device) -> Result<&'static Gpu> {
    let name = device.to_string();
    let ordinal = name.strip_prefix("cuda:").and_then(|number| number.parse().ok());
    let none = || Error::invalid("graph_step", format!("{name} is no GPU"));
    gpu(ordinal.ok_or_else(none)?).map_err(|reason| Error::invalid("graph_step", reason))
}

impl<F> GraphStep<F> {
    /// One step.
    ///
    /// # Panics
    /// As the step does, and if it is itself part of a step that is recorded.
    #[track_caller]
    pub fn run<A, R>(&mut self, input: A) -> R
    where
        F: FnMut(A) -> R,
    {
        let Some(gpu) = self.gpu else { return (self.step)(input) };
        let recording = Recording::start(gpu, &mut self.kept);
        let result = (self.step)(input);
        recording.end();
        result
    }

    /// How it fares.
    pub fn stats(&self) -> GraphStats {
        self.kept.stats
    }
}

impl<F> fmt::Debug for GraphStep<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GraphStep({}, {:?})", self.gpu.map_or("cpu", |gpu| &gpu.name), self.kept.stats)
    }
}

/// What stays between steps.
#[derive(Default)]
struct Kept {
    segments: Vec<Segment>,
    /// The blocks that the step before took, in order: what was asked for, and address and size.
    blocks: Vec<(usize, (Address, usize))>,
    stats: GraphStats,
}

/// A list of kernels with their arguments.
#[derive(Default)]
struct List {
    kernels: Vec<Kernel>,
    /// All arguments, one after the other.
    values: Vec<u64>,
}

#[derive(Clone, Copy)]
struct Kernel {
    function: Handle<CUfunc_st>,
    grid: Grid,
    /// Where its arguments lie.
    first: usize,
    used: usize,
    starts: [u8; MOST],
    count: u8,
}

impl List {
    fn clear(&mut self) {
        self.kernels.clear();
        self.values.clear();
    }

    fn values_of(&self, kernel: &Kernel) -> &[u64] {
        &self.values[kernel.first..kernel.first + kernel.used]
    }

    /// Calls `act` with a kernel as the driver describes it.
    fn described<R>(&mut self, place: usize, act: impl FnOnce(&CUDA_KERNEL_NODE_PARAMS) -> R) -> R {
        let kernel = self.kernels[place];
        let values = &mut self.values[kernel.first..];
        let mut pointers = [ptr::null_mut::<c_void>(); MOST];
        for (pointer, &start) in pointers.iter_mut().zip(&kernel.starts[..usize::from(kernel.count)]) {
            *pointer = (&raw mut values[usize::from(start)]).cast();
        }
        let Grid { blocks, threads, shared } = kernel.grid;
        act(&CUDA_KERNEL_NODE_PARAMS {
            func: kernel.function.0,
            gridDimX: blocks[0],
            gridDimY: blocks[1],
            gridDimZ: blocks[2],
            blockDimX: threads[0],
            blockDimY: threads[1],
            blockDimZ: threads[2],
            sharedMemBytes: shared,
            kernelParams: pointers.as_mut_ptr(),
            extra: ptr::null_mut(),
        })
    }
}

/// A list between two places at which the host waits or sends something, and its graph.
#[derive(Default)]
struct Segment {
    list: List,
    graph: Option<Graph>,
    /// Graphs in a row that were used once.
    wasted: usize,
}

/// A graph of the driver's: a chain of kernels.
struct Graph {
    template: CUgraph,
    exec: CUgraphExec,
    nodes: Vec<CUgraphNode>,
}

// SAFETY: the driver's handles may be used on any thread, and a graph is used by one at a time.
unsafe impl Send for Graph {}

impl Drop for Graph {
    fn drop(&mut self) {
        // SAFETY: handles of the driver that nobody uses any more; a launch that is under way keeps what it needs. An
        // error is not told: there is nobody to tell it to.
        unsafe {
            driver::cuGraphExecDestroy(self.exec);
            driver::cuGraphDestroy(self.template);
        }
    }
}

/// What is collected on this thread.
struct Recorder {
    gpu: &'static Gpu,
    kept: Kept,
    /// The list of now.
    list: List,
    /// The number of the segment that it will be.
    segment: usize,
    /// The blocks of this step.
    blocks: Vec<(usize, (Address, usize))>,
    /// Blocks that were freed since the last launch: kernels that were not asked for yet may use them, so no other thread
    /// may have them.
    free: Free,
    /// Whether a kernel of the list says when an index is out of range.
    checks: bool,
}

/// What could not be done, and the driver's answer.
type Trouble = (&'static str, Failure);

thread_local! {
    static RECORDER: RefCell<Option<Recorder>> = const { RefCell::new(None) };
    /// The number of the GPU whose kernels are collected, from 1; 0 for none: what is asked for each kernel.
    static RECORDED: Cell<usize> = const { Cell::new(0) };
}

/// Whether this thread's kernels for this GPU are collected.
#[inline]
pub(crate) fn records(gpu: &Gpu) -> bool {
    RECORDED.get() == gpu.ordinal + 1
}

/// Collects a kernel.
pub(crate) fn record<const ROOM: usize>(function: Handle<CUfunc_st>, grid: Grid, args: &Args<ROOM>) {
    with(|recorder| {
        let (values, starts) = args.parts();
        let list = &mut recorder.list;
        let mut kernel = Kernel {
            function,
            grid,
            first: list.values.len(),
            used: values.len(),
            starts: [0; MOST],
            count: 0,
        };
        for (place, &start) in kernel.starts.iter_mut().zip(starts) {
            *place = start as u8;
        }
        kernel.count = starts.len() as u8;
        list.values.extend_from_slice(values);
        list.kernels.push(kernel);
    });
}

fn with<R>(act: impl FnOnce(&mut Recorder) -> R) -> R {
    RECORDER.with_borrow_mut(|recorder| act(recorder.as_mut().expect("a step is recorded on this thread")))
}

/// A block for a step that is recorded: the one that the step of before took at this place, if it is free, so that the
/// arguments of kernels stay as they are.
pub(crate) fn take(gpu: &Gpu, size: usize, others: &mut Free) -> Option<(Address, usize)> {
    if !records(gpu) {
        return others.take(size);
    }
    with(|recorder| {
        let before = recorder.kept.blocks.get(recorder.blocks.len()).filter(|(wanted, _)| *wanted == size);
        if let Some(&(_, (address, kept))) = before
            && (recorder.free.take_exactly(address, kept) || others.take_exactly(address, kept))
        {
            return Some((address, kept));
        }
        recorder.free.take(size).or_else(|| others.take(size))
    })
}

/// Notes that a kernel that is collected looks at indices.
pub(crate) fn note_check() {
    with(|recorder| recorder.checks = true);
}

/// Keeps a block that was freed within a step that is recorded. Whether there is one.
pub(crate) fn free(gpu: &Gpu, address: Address, size: usize) -> bool {
    if !records(gpu) {
        return false;
    }
    with(|recorder| recorder.free.put(address, size));
    true
}

/// Notes which block was taken.
pub(crate) fn note_block(gpu: &Gpu, size: usize, block: (Address, usize)) {
    if records(gpu) {
        with(|recorder| recorder.blocks.push((size, block)));
    }
}

/// Launches what was collected, because the host is about to wait for it or to write what it reads.
#[track_caller]
pub(crate) fn flush(gpu: &Gpu) {
    optimize::flush();
    if records(gpu) {
        with(Recorder::flush);
    }
}

/// As [`flush`], and hands blocks to all that this thread's step freed.
#[track_caller]
pub(crate) fn release(gpu: &Gpu) {
    flush(gpu);
    if records(gpu) {
        with(|recorder| gpu.memory.free(&mut recorder.free));
    }
}

impl Recorder {
    #[track_caller]
    fn flush(&mut self) {
        if self.list.kernels.is_empty() {
            return;
        }
        if self.kept.segments.len() == self.segment {
            self.kept.segments.push(Segment::default());
        }
        let segment = &mut self.kept.segments[self.segment];
        self.segment += 1;
        let stats = &mut self.kept.stats;
        // Whatever fails now, nothing of it is asked for again.
        let mut list = std::mem::take(&mut self.list);
        let ready =
            self.gpu.try_enter().map_err(|failure| ("the context could not be made current", failure));
        let answer = ready.and_then(|()| {
            if list.kernels.len() < SHORT || segment.wasted >= PATIENCE {
                stats.single += list.kernels.len();
                return one_by_one(self.gpu, &mut list);
            }
            segment.launch(self.gpu, &mut list, stats)
        });
        if answer.is_err() {
            *segment = Segment::default();
        }
        list.clear();
        self.list = list;
        self.gpu.memory.free(&mut self.free);
        if std::mem::take(&mut self.checks) {
            self.gpu.bad_index.reopen();
        }
        if let Err((what, failure)) = answer {
            self.gpu.expect(what, Err(failure));
        }
    }
}

fn one_by_one(gpu: &Gpu, list: &mut List) -> Result<(), Trouble> {
    for place in 0..list.kernels.len() {
        let answer = list.described(place, |kernel| {
            // SAFETY: as in `Gpu::launch`, of which this is the rest.
            check(unsafe {
                driver::cuLaunchKernel(
                    kernel.func,
                    kernel.gridDimX,
                    kernel.gridDimY,
                    kernel.gridDimZ,
                    kernel.blockDimX,
                    kernel.blockDimY,
                    kernel.blockDimZ,
                    kernel.sharedMemBytes,
                    gpu.stream.0,
                    kernel.kernelParams,
                    ptr::null_mut(),
                )
            })
        });
        answer.map_err(|failure| ("a kernel could not be run", failure))?;
    }
    Ok(())
}

impl Segment {
    /// Launches the list as a graph; the list of before takes its place.
    fn launch(&mut self, gpu: &Gpu, list: &mut List, stats: &mut GraphStats) -> Result<(), Trouble> {
        std::mem::swap(&mut self.list, list);
        self.bring_up_to_date(list, stats)?;
        let graph = self.graph.as_ref().expect("it was just made");
        stats.launches += 1;
        stats.kernels += self.list.kernels.len();
        // SAFETY: the graph is complete, and lives until after the launch.
        check(unsafe { driver::cuGraphLaunch(graph.exec, gpu.stream.0) })
            .map_err(|failure| ("a graph of kernels could not be run", failure))
    }

    /// Sees to it that the graph, which is that of the list of before, is that of the list.
    fn bring_up_to_date(&mut self, before: &List, stats: &mut GraphStats) -> Result<(), Trouble> {
        let now = &mut self.list;
        let same_functions = now.kernels.len() == before.kernels.len()
            && now.kernels.iter().zip(&before.kernels).all(|(a, b)| a.function.0 == b.function.0);
        if let Some(graph) = self.graph.as_ref().filter(|_| same_functions) {
            self.wasted = 0;
            for place in 0..now.kernels.len() {
                let (a, b) = (now.kernels[place], before.kernels[place]);
                if a.grid == b.grid && now.values_of(&a) == before.values_of(&b) {
                    continue;
                }
                stats.updates += 1;
                now.described(place, |kernel| {
                    // SAFETY: a node of this graph, of the same kernel, with as many arguments as it has.
                    check(unsafe {
                        driver::cuGraphExecKernelNodeSetParams(graph.exec, graph.nodes[place], kernel)
                    })
                })
                .map_err(|failure| ("a kernel of a graph could not get other arguments", failure))?;
            }
            return Ok(());
        }
        if self.graph.take().is_some() {
            self.wasted += 1;
        }
        stats.graphs += 1;
        self.graph = Some(Graph::of(now)?);
        Ok(())
    }
}

impl Graph {
    fn of(list: &mut List) -> Result<Graph, Trouble> {
        let mut graph = Graph { template: ptr::null_mut(), exec: ptr::null_mut(), nodes: Vec::new() };
        // SAFETY: the driver writes the handle of a new graph.
        check(unsafe { driver::cuGraphCreate(&raw mut graph.template, 0) })
            .map_err(|failure| ("a graph could not be made", failure))?;
        for place in 0..list.kernels.len() {
            let mut node: CUgraphNode = ptr::null_mut();
            let last = graph.nodes.last().copied();
            let before = last.as_ref().map_or(ptr::null(), ptr::from_ref);
            let answer = list.described(place, |kernel| {
                // SAFETY: a kernel that is loaded for good, with its arguments, behind at most one node of this graph; the
                // driver copies the arguments and writes the handle of the new node.
                check(unsafe {
                    driver::cuGraphAddKernelNode(
                        &raw mut node,
                        graph.template,
                        before,
                        usize::from(last.is_some()),
                        kernel,
                    )
                })
            });
            answer.map_err(|failure| ("a kernel could not be made part of a graph", failure))?;
            graph.nodes.push(node);
        }
        // SAFETY: the template is complete; the driver writes the handle of what can be launched.
        check(unsafe { driver::cuGraphInstantiateWithFlags(&raw mut graph.exec, graph.template, 0) })
            .map_err(|failure| ("a graph could not be made ready", failure))?;
        Ok(graph)
    }
}

/// A step that is under way. Dropped by a panic, it launches what was asked for up to there.
struct Recording<'a> {
    kept: &'a mut Kept,
}

impl<'a> Recording<'a> {
    #[track_caller]
    fn start(gpu: &'static Gpu, kept: &'a mut Kept) -> Self {
        if RECORDED.get() != 0 {
            rushlight_array::fail!("graph_step: a step within a step");
        }
        let recorder = Recorder {
            gpu,
            kept: std::mem::take(kept),
            list: List::default(),
            segment: 0,
            blocks: Vec::new(),
            free: Free::default(),
            checks: false,
        };
        RECORDER.set(Some(recorder));
        RECORDED.set(gpu.ordinal + 1);
        Recording { kept }
    }

    #[track_caller]
    fn end(self) {
        with(Recorder::flush);
    }
}

impl Drop for Recording<'_> {
    fn drop(&mut self) {
        RECORDED.set(0);
        let Some(mut recorder) = RECORDER.take() else { return };
        if !recorder.list.kernels.is_empty() {
            // A panic is under way, which has told what failed first.
            let _ = recorder
                .gpu
                .try_enter()
                .and_then(|()| one_by_one(recorder.gpu, &mut recorder.list).map_err(|(_, failure)| failure));
            if recorder.checks {
                recorder.gpu.bad_index.reopen();
            }
        }
        recorder.gpu.memory.free(&mut recorder.free);
        recorder.kept.blocks = recorder.blocks;
        *self.kept = recorder.kept;
    }
}
