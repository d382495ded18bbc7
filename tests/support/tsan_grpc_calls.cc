// Tells ThreadSanitizer that what gRPC was given happens before what it then runs.
//
// Debian's gRPC core is not instrumented. It takes a batch of operations on one thread and runs the
// completion on another; it takes a closure (a reactor's OnDone) and runs it on a thread of its
// executor. The sanitizer sees no order in either. The entry points of both are defined here
// again, in the program, where the C++ library's calls find them first; each marks the order and
// lets what is run later take it up, batch by batch and closure by closure: nothing else becomes
// ordered by it. Layouts and mangled names are those of gRPC 1.51 as Debian 12 builds it.
#include <dlfcn.h>
#include <grpc/grpc.h>
#include <sanitizer/tsan_interface.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <utility>

extern "C" const char __executable_start;
extern "C" const char etext;

namespace {

using Functor = grpc_completion_queue_functor;
using Completion = void (*)(Functor*, int);

// The C++ library has two kinds of completions; templates of the program may add a few.
constexpr std::size_t kCompletionsMax = 8;
std::array<std::atomic<Completion>, kCompletionsMax> completions;

template <std::size_t kSlot>
void Complete(Functor* functor, int ok) {
  __tsan_acquire(functor);
  completions[kSlot].load()(functor, ok);
}

template <std::size_t... kSlots>
constexpr std::array<Completion, sizeof...(kSlots)> Ordered(std::index_sequence<kSlots...>) {
  return {&Complete<kSlots>...};
}
constexpr auto kOrdered = Ordered(std::make_index_sequence<kCompletionsMax>());

// Only tags of the callback API are functors; others begin with a virtual table, which is no code.
bool IsCode(Completion function) {
  const auto address = reinterpret_cast<std::uintptr_t>(function);
  return address >= reinterpret_cast<std::uintptr_t>(&__executable_start) &&
         address < reinterpret_cast<std::uintptr_t>(&etext);
}

bool IsOrdered(Completion function) {
  for (const Completion ordered : kOrdered) {
    if (function == ordered) return true;
  }
  return false;
}

// Not instrumented: it reads and writes what belongs to gRPC.
__attribute__((no_sanitize("thread"))) void OrderCompletion(Functor* functor) {
  const Completion original = functor->functor_run;
  if (!IsCode(original) || IsOrdered(original)) return;
  for (std::size_t slot = 0; slot < kCompletionsMax; ++slot) {
    Completion known = nullptr;
    if (completions[slot].compare_exchange_strong(known, original) || known == original) {
      functor->functor_run = kOrdered[slot];
      return;
    }
  }
  std::abort();  // raise kCompletionsMax
}

// grpc_core::grpc_closure, up to what is used of it.
struct Closure {
  void* next;
  void (*run)(void* argument, void* status);
  void* argument;
};

// What a closure was before it was given to the executor. The executor may be given it again later.
struct Scheduled {
  Closure* closure;
  void (*run)(void*, void*);
  void* argument;
};

__attribute__((no_sanitize("thread"))) void RunScheduled(void* argument, void* status) {
  const Scheduled scheduled = *static_cast<Scheduled*>(argument);
  __tsan_acquire(argument);
  delete static_cast<Scheduled*>(argument);
  scheduled.closure->run = scheduled.run;
  scheduled.closure->argument = scheduled.argument;
  scheduled.run(scheduled.argument, status);
}

template <typename Function>
Function Real(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

// The name by which cmake/Tsan.cmake links this file in.
extern const int bank_tsan_grpc_calls;
const int bank_tsan_grpc_calls = 0;

grpc_call_error grpc_call_start_batch(grpc_call* call, const grpc_op* ops, std::size_t count,
                                      void* tag, void* reserved) {
  static const auto real = Real<decltype(&grpc_call_start_batch)>("grpc_call_start_batch");
  if (tag != nullptr) {
    OrderCompletion(static_cast<Functor*>(tag));
    __tsan_release(tag);
  }
  return real(call, ops, count, tag, reserved);
}

// grpc_core::Executor::Run(closure, status, executor type, job type)
#define EXECUTOR_RUN \
  _ZN9grpc_core8Executor3RunEP12grpc_closureN4absl7debian36StatusENS_12ExecutorTypeENS_15ExecutorJobTypeE
#define NAME_OF(symbol) #symbol
#define NAME(symbol) NAME_OF(symbol)

__attribute__((no_sanitize("thread"))) void EXECUTOR_RUN(Closure* closure, void* status,
                                                         int executor, int job) {
  static const auto real = Real<void (*)(Closure*, void*, int, int)>(NAME(EXECUTOR_RUN));
  auto* scheduled = new Scheduled{closure, closure->run, closure->argument};
  closure->run = &RunScheduled;
  closure->argument = scheduled;
  __tsan_release(scheduled);
  real(closure, status, executor, job);
}

// What the last of several threads does of which each counted down, by atomic operations of which
// the library's own go unseen. grpc::internal::ServerCallbackCall begins with a virtual table and
// the two counts.
constexpr std::size_t kCancelConditionsAt = sizeof(void*);
constexpr std::size_t kCallbacksOutstandingAt = kCancelConditionsAt + sizeof(std::atomic_int);

// ServerCallbackCall::CallOnCancel(reactor): the call is cancelled, and its reactor is known.
#define CALL_ON_CANCEL _ZN4grpc8internal18ServerCallbackCall12CallOnCancelEPNS0_13ServerReactorE

void CALL_ON_CANCEL(void* call, void* reactor) {
  static const auto real = Real<void (*)(void*, void*)>(NAME(CALL_ON_CANCEL));
  __tsan_acquire(static_cast<char*>(call) + kCancelConditionsAt);
  real(call, reactor);
}

// ServerCallbackCall::ScheduleOnDone(inline): the last of the call's callbacks is over.
#define SCHEDULE_ON_DONE _ZN4grpc8internal18ServerCallbackCall14ScheduleOnDoneEb

void SCHEDULE_ON_DONE(void* call, bool is_inline) {
  static const auto real = Real<void (*)(void*, bool)>(NAME(SCHEDULE_ON_DONE));
  __tsan_acquire(static_cast<char*>(call) + kCallbacksOutstandingAt);
  real(call, is_inline);
}

}  // extern "C"
