/* Runs the CUDA texts on the host, one thread after the other, as plain C.

   A block's threads are fibres that change over at barriers only. A barrier that not all threads reach, an
   access outside an array (arrays end where a page may not be touched) and undefined arithmetic (compiled to
   traps) end the launch with a message. Blocks and threads run in either order: a result that differs between
   the two is a race. */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define KERNEL
#define DYNAMIC_SHARED(type, name) type *name = (type *)emulated_shared
#define __device__
#define __shared__ static __attribute__((section("shared_pool")))
#define __syncthreads() emulated_barrier(__LINE__)

typedef struct {
    unsigned int x, y, z;
} Emulated3;
static Emulated3 threadIdx, blockIdx, blockDim, gridDim;

enum { MOST_THREADS = 1024, STACK_BYTES = 1 << 18, PAGE = 4096 };
static jmp_buf emulated_fibres[MOST_THREADS], emulated_scheduler;
static sigjmp_buf emulated_launch;
static ucontext_t emulated_start, emulated_entry;
static int emulated_waits[MOST_THREADS]; /* line of the barrier a thread waits at, 0 running, -1 done */
static int emulated_now;
static char *emulated_stacks;
static void *emulated_shared;
static void (*emulated_kernel)(void **);
static void **emulated_arguments;
static volatile sig_atomic_t emulated_signal;
extern char __start_shared_pool[] __attribute__((weak, visibility("hidden")));
extern char __stop_shared_pool[] __attribute__((weak, visibility("hidden")));

static void emulated_barrier(int line) {
    int thread = emulated_now;
    emulated_waits[thread] = line;
    if (!_setjmp(emulated_fibres[thread])) _longjmp(emulated_scheduler, 1);
}

static int atomicAdd(int *where, int value) {
    int before = *where;
    *where += value;
    return before;
}

static void emulated_body(void) {
    for (;;) { /* a fibre serves one thread of every block */
        int thread = emulated_now;
        emulated_kernel(emulated_arguments);
        emulated_waits[thread] = -1;
        if (!_setjmp(emulated_fibres[thread])) _longjmp(emulated_scheduler, 1);
    }
}

static void emulated_fault(int number) {
    emulated_signal = number;
    siglongjmp(emulated_launch, 1);
}

/* Let one thread run to its next barrier or its end. */
static void emulated_resume(int thread, int fresh) {
    emulated_now = thread;
    threadIdx.x = thread;
    if (_setjmp(emulated_scheduler)) return;
    if (!fresh) _longjmp(emulated_fibres[thread], 1);
    getcontext(&emulated_entry);
    emulated_entry.uc_stack.ss_sp = emulated_stacks + (size_t)thread * STACK_BYTES;
    emulated_entry.uc_stack.ss_size = STACK_BYTES;
    emulated_entry.uc_link = NULL;
    makecontext(&emulated_entry, emulated_body, 0);
    swapcontext(&emulated_start, &emulated_entry);
}

/* Run all threads of a block from barrier to barrier; a message where they do not all reach the same one. */
static int emulated_block(int threads, int fresh, int backwards, char *message) {
    for (int round = 0;; round++) {
        for (int k = 0; k < threads; k++)
            emulated_resume(backwards ? threads - 1 - k : k, fresh && round == 0);
        for (int k = 1; k < threads; k++)
            if (emulated_waits[k] != emulated_waits[0]) {
                sprintf(message, "threads 0 and %d wait at different barriers: lines %d and %d (-1: ended)", k,
                        emulated_waits[0], emulated_waits[k]);
                return 1;
            }
        if (emulated_waits[0] < 0) return 0;
    }
}

int emulated_run(void (*kernel)(void **), void **arguments, const unsigned int *grid, int threads,
                 long shared_bytes, int backwards, char *message) {
    struct sigaction action, segv, bus, ill, trap, fpe;
    size_t room = (shared_bytes + PAGE - 1) / PAGE * PAGE;
    char *pool = mmap(NULL, room + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    volatile int fresh = 1;
    volatile int bad = 0;
    mprotect(pool + room, PAGE, PROT_NONE);
    emulated_shared = pool + room - shared_bytes;
    emulated_stacks = malloc((size_t)threads * STACK_BYTES);
    emulated_kernel = kernel;
    emulated_arguments = arguments;
    blockDim.x = threads;
    blockDim.y = blockDim.z = 1;
    gridDim.x = grid[0];
    gridDim.y = grid[1];
    gridDim.z = grid[2];
    memset(&action, 0, sizeof action);
    action.sa_handler = emulated_fault;
    action.sa_flags = SA_NODEFER;
    sigaction(SIGSEGV, &action, &segv);
    sigaction(SIGBUS, &action, &bus);
    sigaction(SIGILL, &action, &ill);
    sigaction(SIGTRAP, &action, &trap);
    sigaction(SIGFPE, &action, &fpe);
    if (sigsetjmp(emulated_launch, 1)) {
        sprintf(message, "block %u,%u,%u thread %d: %s", blockIdx.x, blockIdx.y, blockIdx.z, emulated_now,
                emulated_signal == SIGSEGV || emulated_signal == SIGBUS ? "access outside an array"
                                                                        : "undefined arithmetic or index");
        bad = 1;
    } else {
        long blocks = (long)grid[0] * grid[1] * grid[2];
        for (long k = 0; k < blocks && !bad; k++) {
            long at = backwards ? blocks - 1 - k : k;
            blockIdx.x = at % grid[0];
            blockIdx.y = at / grid[0] % grid[1];
            blockIdx.z = at / grid[0] / grid[1];
            memset(emulated_shared, 0xFF, shared_bytes);
            if (__start_shared_pool) memset(__start_shared_pool, 0xFF, __stop_shared_pool - __start_shared_pool);
            bad = emulated_block(threads, fresh, backwards, message);
            fresh = 0;
        }
    }
    sigaction(SIGSEGV, &segv, NULL);
    sigaction(SIGBUS, &bus, NULL);
    sigaction(SIGILL, &ill, NULL);
    sigaction(SIGTRAP, &trap, NULL);
    sigaction(SIGFPE, &fpe, NULL);
    free(emulated_stacks);
    munmap(pool, room + PAGE);
    return bad;
}
