// Fibers, barriers and launches of the emulated device; see shim.h.

#include "shim.h"

#include <string>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#define RL_SANITIZED 1
#else
#define RL_SANITIZED 0
#endif

namespace rl_host {

thread_local uint3 thread_index, block_index, block_size, grid_size;

static Kernel* all_kernels = nullptr;
Kernel::Kernel(const char* name, const char* file, Call call, const std::size_t* sizes, std::size_t count)
    : name(name), file(file), call(call), sizes(sizes), count(count), next(all_kernels) {
    all_kernels = this;
}

namespace {

constexpr std::size_t STACK = 128 * 1024;

enum class State { ready, in_block_barrier, in_warp_barrier, done };

struct Fiber {
    void* stack_pointer = nullptr;
    char* stack = nullptr;
    void* fake_stack = nullptr;
    uint3 index{};
    unsigned number = 0;
    State state = State::done;
    unsigned mask = 0;
};

struct Launch {
    Call call;
    void** arguments;
};

struct Scheduler {
    std::vector<Fiber> fibers;
    std::vector<unsigned> order;
    unsigned running = 0;
    unsigned count = 0;
    void* own_stack_pointer = nullptr;
    void* own_fake_stack = nullptr;
    const void* own_bottom = nullptr;
    std::size_t own_size = 0;
    Launch launch{};
    std::vector<unsigned char> shared;
    // 32 slots for each warp.
    std::vector<unsigned char> slots;
};

thread_local Scheduler scheduler;

// Saves what a called function must keep, and goes on where the other stack left off.
extern "C" void rl_switch_stacks(void** save, void* load);
#if defined(__x86_64__)
asm(R"(
.text
.globl rl_switch_stacks
.hidden rl_switch_stacks
.type rl_switch_stacks,@function
rl_switch_stacks:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size rl_switch_stacks,.-rl_switch_stacks
)");
constexpr int SAVED = 6;
#elif defined(__aarch64__)
asm(R"(
.text
.globl rl_switch_stacks
.hidden rl_switch_stacks
.type rl_switch_stacks,%function
rl_switch_stacks:
    sub sp, sp, #176
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #176
    ret
.size rl_switch_stacks,.-rl_switch_stacks
)");
#else
#error "the emulated device knows the stacks of x86_64 and aarch64"
#endif

// Back to the scheduler, which calls the fiber again when it is its turn.
void yield() {
    Fiber& me = scheduler.fibers[scheduler.running];
#if RL_SANITIZED
    bool ends = me.state == State::done;
    __sanitizer_start_switch_fiber(ends ? nullptr : &me.fake_stack, scheduler.own_bottom, scheduler.own_size);
#endif
    rl_switch_stacks(&me.stack_pointer, scheduler.own_stack_pointer);
#if RL_SANITIZED
    __sanitizer_finish_switch_fiber(me.fake_stack, &scheduler.own_bottom, &scheduler.own_size);
#endif
}

void fiber_main() {
#if RL_SANITIZED
    __sanitizer_finish_switch_fiber(nullptr, &scheduler.own_bottom, &scheduler.own_size);
#endif
    scheduler.launch.call(scheduler.launch.arguments);
    scheduler.fibers[scheduler.running].state = State::done;
    yield();
    std::abort();
}

void prepare(Fiber& fiber) {
    if (fiber.stack == nullptr) fiber.stack = static_cast<char*>(std::aligned_alloc(64, STACK));
    void** top = reinterpret_cast<void**>(fiber.stack + STACK);
#if defined(__x86_64__)
    *--top = nullptr;  // Where fiber_main would return to: the stack is aligned as behind a call.
    *--top = reinterpret_cast<void*>(&fiber_main);
    for (int i = 0; i < SAVED; i++) *--top = nullptr;
#else
    top -= 22;
    for (int i = 0; i < 22; i++) top[i] = nullptr;
    top[11] = reinterpret_cast<void*>(&fiber_main);
#endif
    fiber.stack_pointer = top;
    fiber.fake_stack = nullptr;
    fiber.state = State::ready;
}

void run(unsigned number) {
    Scheduler& s = scheduler;
    Fiber& fiber = s.fibers[number];
    s.running = number;
    thread_index = fiber.index;
#if RL_SANITIZED
    __sanitizer_start_switch_fiber(&s.own_fake_stack, fiber.stack, STACK);
#endif
    rl_switch_stacks(&s.own_stack_pointer, fiber.stack_pointer);
#if RL_SANITIZED
    __sanitizer_finish_switch_fiber(s.own_fake_stack, nullptr, nullptr);
#endif
}

// The turns of the threads: 0 forward, 1 backward and warp by warp, any other number a shuffle that it seeds.
unsigned long long turn = 0;

unsigned long long random_bits(unsigned long long& state) {
    state += 0x9e3779b97f4a7c15ull;
    unsigned long long z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

void put_in_order(std::vector<unsigned>& order, unsigned count, unsigned long long& state) {
    order.resize(count);
    for (unsigned i = 0; i < count; i++) order[i] = turn == 1 ? count - 1 - i : i;
    if (turn > 1)
        for (unsigned i = count; i > 1; i--) std::swap(order[i - 1], order[random_bits(state) % i]);
}

thread_local std::string complaint;

// Lets those of a warp go on whose barrier is complete. Whether there were any.
bool release_warp(Scheduler& s, unsigned warp) {
    bool any = false;
    for (unsigned i = warp * 32; i < std::min(s.count, warp * 32 + 32); i++) {
        if (s.fibers[i].state != State::in_warp_barrier) continue;
        unsigned mask = s.fibers[i].mask, arrived = 0, there = 0;
        for (unsigned k = 0; k < 32 && warp * 32 + k < s.count; k++) {
            Fiber& other = s.fibers[warp * 32 + k];
            there |= 1u << k;
            if (other.state == State::in_warp_barrier && other.mask == mask) arrived |= 1u << k;
        }
        // Lanes that the block does not have cannot arrive.
        if ((arrived & mask) != (mask & there)) continue;
        for (unsigned k = 0; k < 32 && warp * 32 + k < s.count; k++)
            if (mask >> k & 1) s.fibers[warp * 32 + k].state = State::ready;
        any = true;
    }
    return any;
}

// The same for the block and all of its warps.
bool release(Scheduler& s) {
    unsigned waiting = 0, ended = 0;
    for (unsigned i = 0; i < s.count; i++) {
        waiting += s.fibers[i].state == State::in_block_barrier;
        ended += s.fibers[i].state == State::done;
    }
    bool any = false;
    if (waiting == s.count) {
        for (unsigned i = 0; i < s.count; i++) s.fibers[i].state = State::ready;
        return true;
    }
    for (unsigned warp = 0; warp * 32 < s.count; warp++) any = release_warp(s, warp) || any;
    if (!any && ended < s.count) {
        char text[256];
        std::snprintf(text, sizeof text,
                      "threads of a block met at different places: of %u, %u wait at __syncthreads and %u have ended",
                      s.count, waiting, ended);
        complaint = text;
    }
    return any;
}

bool run_block(Scheduler& s, unsigned long long& state) {
    for (unsigned i = 0; i < s.count; i++) {
        Fiber& fiber = s.fibers[i];
        fiber.number = i;
        fiber.index = {i % block_size.x, i / block_size.x % block_size.y, i / (block_size.x * block_size.y)};
        prepare(fiber);
    }
    // Signalling patterns: a kernel that reads before it writes computes with NaN.
    std::memset(s.shared.data(), 0xff, s.shared.size());
    std::memset(s.slots.data(), 0xff, s.slots.size());
    for (;;) {
        put_in_order(s.order, s.count, state);
        bool ran = false, all_done = true;
        for (unsigned at = 0; at < s.count; at++) {
            unsigned number = s.order[at];
            if (s.fibers[number].state == State::ready) {
                run(number);
                ran = true;
            }
            all_done = all_done && s.fibers[number].state == State::done;
            // Backward, a warp goes on for as long as it can before another has its turn; else all go on together from
            // one barrier of their warp to the next, which hides that they must wait for each other.
            if (turn == 1 && number % 32 == 0 && release_warp(s, number / 32)) at -= std::min(s.count - number, 32u);
        }
        if (all_done) return true;
        if (!release(s) && !ran) return false;
        if (!complaint.empty()) {
            // A fiber that has not run to its end yet may still complete the barrier.
            bool ready = false;
            for (unsigned i = 0; i < s.count; i++) ready = ready || s.fibers[i].state == State::ready;
            if (!ready) return false;
            complaint.clear();
        }
    }
}

}  // namespace

void block_barrier() {
    scheduler.fibers[scheduler.running].state = State::in_block_barrier;
    yield();
}

void warp_barrier(unsigned mask) {
    Fiber& me = scheduler.fibers[scheduler.running];
    me.state = State::in_warp_barrier;
    me.mask = mask;
    yield();
}

unsigned lane() { return scheduler.fibers[scheduler.running].number & 31; }

void* slot(unsigned lane) {
    unsigned warp = scheduler.fibers[scheduler.running].number >> 5;
    return &scheduler.slots[(warp * 32 + lane) * 16];
}

void* shared_memory() { return scheduler.shared.data(); }

}  // namespace rl_host

using namespace rl_host;

// The kernel of this name in this file, or null.
extern "C" const void* rl_find_kernel(const char* file, const char* name) {
    for (Kernel* kernel = all_kernels; kernel != nullptr; kernel = kernel->next)
        if (std::strcmp(kernel->file, file) == 0 && std::strcmp(kernel->name, name) == 0) return kernel;
    return nullptr;
}

// The number of a kernel's arguments, and their sizes.
extern "C" std::size_t rl_kernel_arguments(const void* kernel, std::size_t* sizes, std::size_t most) {
    const Kernel* k = static_cast<const Kernel*>(kernel);
    for (std::size_t i = 0; i < k->count && i < most; i++) sizes[i] = k->sizes[i];
    return k->count;
}

// In which order the threads of a block take turns.
extern "C" void rl_set_order(unsigned long long order) { turn = order; }

// Runs a kernel to its end. Null, or what went wrong.
extern "C" const char* rl_launch(const void* kernel, const unsigned grid[3], const unsigned block[3], unsigned shared,
                                 void** arguments) {
    Scheduler& s = scheduler;
    complaint.clear();
    s.count = block[0] * block[1] * block[2];
    if (s.fibers.size() < s.count) s.fibers.resize(s.count);
    s.shared.resize(shared + 16);
    s.slots.resize((s.count + 31) / 32 * 32 * 16);
    s.launch = {static_cast<const Kernel*>(kernel)->call, arguments};
    grid_size = {grid[0], grid[1], grid[2]};
    block_size = {block[0], block[1], block[2]};
    unsigned long long state = turn;
    for (unsigned long long number = 0; number < (unsigned long long)grid[0] * grid[1] * grid[2]; number++) {
        // Blocks have no order, either.
        unsigned long long all = (unsigned long long)grid[0] * grid[1] * grid[2];
        unsigned long long at = turn == 1 ? all - 1 - number : number;
        block_index = {(unsigned)(at % grid[0]), (unsigned)(at / grid[0] % grid[1]),
                       (unsigned)(at / ((unsigned long long)grid[0] * grid[1]))};
        if (!run_block(s, state)) return complaint.c_str();
    }
    return nullptr;
}
