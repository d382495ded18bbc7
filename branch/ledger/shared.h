// Copy on write between a ledger and its frozen copies.
//
// The ledger holds its state in pieces. A frozen copy takes along one pointer per piece and ends
// the epoch; the first write to a piece in a later epoch copies it. So nothing that a frozen copy
// can reach is ever written again, and any thread may read it while the ledger goes on.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

namespace bank::ledger {

// Number of the span between two freezes. Ending one changes nothing that a reader could see:
// several readers may freeze at a time, while nobody writes.
class Epoch {
 public:
  Epoch() = default;
  Epoch(const Epoch& other) : number_(other.number()) {}
  Epoch& operator=(const Epoch& other) {
    number_.store(other.number(), std::memory_order_relaxed);
    return *this;
  }

  uint64_t number() const { return number_.load(std::memory_order_relaxed); }
  void End() const { number_.fetch_add(1, std::memory_order_relaxed); }

 private:
  mutable std::atomic<uint64_t> number_{0};
};

template <class T>
class Shared {
 public:
  Shared(const Epoch& epoch, T value)
      : value_(std::make_shared<T>(std::move(value))), epoch_(epoch.number()) {}

  const T& operator*() const { return *value_; }
  const T* operator->() const { return value_.get(); }

  // For a frozen copy, which ends the epoch. Shared with it until the next write, or for good.
  std::shared_ptr<const T> Freeze() const { return value_; }

  // The value to write to. References from before are to what was frozen.
  T& Write(const Epoch& epoch) {
    if (epoch_ != epoch.number()) {
      value_ = std::make_shared<T>(std::as_const(*value_));
      epoch_ = epoch.number();
    }
    return *value_;
  }

 private:
  std::shared_ptr<T> value_;
  uint64_t epoch_;  // in which it was made or copied: no frozen copy has it
};

}  // namespace bank::ledger
