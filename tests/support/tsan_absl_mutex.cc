// Tells ThreadSanitizer what abseil's locks order.
//
// Debian's abseil is not instrumented, so that the sanitizer sees no order between two threads that
// use one absl::Mutex and reports races where there are none. In the tsan preset the linker sends
// our calls of these functions here (cmake/Tsan.cmake lists them), and each is the real one
// with the order it makes spelled out. Waiting for a condition polls: the real functions may
// evaluate it on any thread, inside the library. Mangled names are those of abseil 20220623
// as Debian 12 builds it.
#include <sanitizer/tsan_interface.h>

#include <chrono>
#include <thread>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"

using absl::Condition;
using absl::CondVar;
using absl::Duration;
using absl::Mutex;
using absl::Notification;

extern "C" {

void __real__ZN4absl7debian35Mutex4LockEv(Mutex*);
void __real__ZN4absl7debian35Mutex6UnlockEv(Mutex*);
void __real__ZN4absl7debian35Mutex10ReaderLockEv(Mutex*);
void __real__ZN4absl7debian35Mutex12ReaderUnlockEv(Mutex*);
bool __real__ZN4absl7debian35Mutex7TryLockEv(Mutex*);
void __real__ZN4absl7debian37CondVar4WaitEPNS0_5MutexE(CondVar*, Mutex*);
bool __real__ZN4absl7debian37CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE(CondVar*, Mutex*,
                                                                                 Duration);
void __real__ZN4absl7debian312Notification6NotifyEv(Notification*);
void __real__ZNK4absl7debian312Notification19WaitForNotificationEv(const Notification*);
bool __real__ZNK4absl7debian312Notification30WaitForNotificationWithTimeoutENS0_8DurationE(
    const Notification*, Duration);

void __wrap__ZN4absl7debian35Mutex4LockEv(Mutex* mutex) {
  __real__ZN4absl7debian35Mutex4LockEv(mutex);
  __tsan_acquire(mutex);
}
void __wrap__ZN4absl7debian35Mutex6UnlockEv(Mutex* mutex) {
  __tsan_release(mutex);
  __real__ZN4absl7debian35Mutex6UnlockEv(mutex);
}
void __wrap__ZN4absl7debian35Mutex10ReaderLockEv(Mutex* mutex) {
  __real__ZN4absl7debian35Mutex10ReaderLockEv(mutex);
  __tsan_acquire(mutex);
}
void __wrap__ZN4absl7debian35Mutex12ReaderUnlockEv(Mutex* mutex) {
  __tsan_release(mutex);
  __real__ZN4absl7debian35Mutex12ReaderUnlockEv(mutex);
}
bool __wrap__ZN4absl7debian35Mutex7TryLockEv(Mutex* mutex) {
  const bool locked = __real__ZN4absl7debian35Mutex7TryLockEv(mutex);
  if (locked) __tsan_acquire(mutex);
  return locked;
}

void __wrap__ZN4absl7debian37CondVar4WaitEPNS0_5MutexE(CondVar* changed, Mutex* mutex) {
  __tsan_release(mutex);
  __real__ZN4absl7debian37CondVar4WaitEPNS0_5MutexE(changed, mutex);
  __tsan_acquire(mutex);
}
bool __wrap__ZN4absl7debian37CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE(CondVar* changed,
                                                                                 Mutex* mutex,
                                                                                 Duration timeout) {
  __tsan_release(mutex);
  const bool timed_out =
      __real__ZN4absl7debian37CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE(changed, mutex,
                                                                                  timeout);
  __tsan_acquire(mutex);
  return timed_out;
}

// True when the condition holds, false when time ran out first; the mutex is held either way.
bool __wrap__ZN4absl7debian35Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE(
    Mutex* mutex, const Condition& condition, Duration timeout) {
  const auto begin = std::chrono::steady_clock::now();
  while (!condition.Eval()) {
    if (absl::FromChrono(std::chrono::steady_clock::now() - begin) >= timeout) return false;
    __wrap__ZN4absl7debian35Mutex6UnlockEv(mutex);
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    __wrap__ZN4absl7debian35Mutex4LockEv(mutex);
  }
  return true;
}
void __wrap__ZN4absl7debian35Mutex5AwaitERKNS0_9ConditionE(Mutex* mutex,
                                                           const Condition& condition) {
  __wrap__ZN4absl7debian35Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE(
      mutex, condition, absl::InfiniteDuration());
}
void __wrap__ZN4absl7debian35Mutex8LockWhenERKNS0_9ConditionE(Mutex* mutex,
                                                              const Condition& condition) {
  __wrap__ZN4absl7debian35Mutex4LockEv(mutex);
  __wrap__ZN4absl7debian35Mutex5AwaitERKNS0_9ConditionE(mutex, condition);
}

void __wrap__ZN4absl7debian312Notification6NotifyEv(Notification* notification) {
  __tsan_release(notification);
  __real__ZN4absl7debian312Notification6NotifyEv(notification);
}
void __wrap__ZNK4absl7debian312Notification19WaitForNotificationEv(
    const Notification* notification) {
  __real__ZNK4absl7debian312Notification19WaitForNotificationEv(notification);
  __tsan_acquire(const_cast<Notification*>(notification));
}
bool __wrap__ZNK4absl7debian312Notification30WaitForNotificationWithTimeoutENS0_8DurationE(
    const Notification* notification, Duration timeout) {
  const bool notified =
      __real__ZNK4absl7debian312Notification30WaitForNotificationWithTimeoutENS0_8DurationE(
          notification, timeout);
  if (notified) __tsan_acquire(const_cast<Notification*>(notification));
  return notified;
}

}  // extern "C"
