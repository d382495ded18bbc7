#include "branch/peers/connection_numbers.h"

#include <random>

#include "branch/peers/hello.h"

namespace bank::peers {
namespace {

uint64_t FirstOfNewIncarnation() { return ConnectionNumber(std::random_device{}(), 1); }

}  // namespace

ConnectionNumbers::ConnectionNumbers() : ConnectionNumbers(FirstOfNewIncarnation()) {}

uint64_t ConnectionNumbers::Next() {
  absl::MutexLock lock(&mutex_);
  if (!IsConnectionNumber(next_)) next_ = FirstOfNewIncarnation();  // the counter has run out
  return next_++;
}

void ConnectionNumbers::OnFollowed(uint64_t connection) {
  absl::MutexLock lock(&mutex_);
  if (IncarnationOf(connection) != IncarnationOf(next_)) return;
  do {
    next_ = FirstOfNewIncarnation();
  } while (IncarnationOf(connection) == IncarnationOf(next_));
}

}  // namespace bank::peers
