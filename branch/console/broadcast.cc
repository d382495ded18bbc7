#include "branch/console/broadcast.h"

#include <utility>

namespace bank::console {

void Broadcast::Send(std::string text) {
  auto shared = std::make_shared<const std::string>(std::move(text));
  absl::MutexLock lock(&mutex_);
  newest_ = {.number = newest_.number + 1, .text = std::move(shared)};
}

void Broadcast::Close() {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
}

Broadcast::Message Broadcast::Await(uint64_t after, std::chrono::milliseconds patience) {
  absl::MutexLock lock(&mutex_);
  const auto ready = [this, after]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return closed_ || newest_.number > after;
  };
  mutex_.AwaitWithTimeout(absl::Condition(&ready), absl::FromChrono(patience));
  return newest_.number > after ? newest_ : Message{};
}

void Broadcast::AwaitClosed(std::chrono::milliseconds patience) const {
  absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithTimeout(absl::Condition(&closed_), absl::FromChrono(patience));
}

uint64_t Broadcast::number() const {
  absl::MutexLock lock(&mutex_);
  return newest_.number;
}

bool Broadcast::closed() const {
  absl::MutexLock lock(&mutex_);
  return closed_;
}

}  // namespace bank::console
