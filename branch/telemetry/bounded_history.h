// BoundedHistory: the newest N of something that comes in any order and may come again: sorted by a
// key, and readable in the order of arrival. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace bank::telemetry {

template <class Key, class Value>
class BoundedHistory {
 public:
  explicit BoundedHistory(size_t max) : max_(max) {}

  // False: it is there already, or it is older than all and there is no room.
  bool Add(const Key& key, Value value) {
    if (by_key_.contains(key)) return false;
    if (by_key_.size() >= max_) {
      if (by_key_.empty() || key < by_key_.begin()->first) return false;
      Erase(by_key_.begin()->first);
    }
    by_key_.emplace(key, Item{next_, std::move(value)});
    by_arrival_.emplace(next_++, key);
    return true;
  }

  void Erase(const Key& key) {
    const auto item = by_key_.find(key);
    if (item == by_key_.end()) return;
    by_arrival_.erase(item->second.arrival);
    by_key_.erase(item);
  }

  const Value* Find(const Key& key) const {
    const auto item = by_key_.find(key);
    return item == by_key_.end() ? nullptr : &item->second.value;
  }

  // The newest by key, oldest first.
  std::vector<Value> Newest(size_t limit) const {
    std::vector<Value> values;
    auto from = by_key_.end();
    while (from != by_key_.begin() && limit-- > 0) --from;
    for (; from != by_key_.end(); ++from) values.push_back(from->second.value);
    return values;
  }

  // Arrivals are numbered from 1.
  uint64_t last_arrival() const { return next_ - 1; }

  // Up to `max` that arrived after `*arrival`, which moves on.
  void TakeAfter(uint64_t* arrival, size_t max, std::vector<Value>* out) const {
    auto next = by_arrival_.upper_bound(*arrival);
    for (; next != by_arrival_.end() && max > 0; ++next, --max) {
      out->push_back(by_key_.at(next->second).value);
      *arrival = next->first;
    }
    if (next == by_arrival_.end()) *arrival = last_arrival();
  }

  size_t size() const { return by_key_.size(); }
  const Key& oldest() const { return by_key_.begin()->first; }

 private:
  struct Item {
    uint64_t arrival;
    Value value;
  };

  const size_t max_;
  uint64_t next_ = 1;
  std::map<Key, Item> by_key_;
  std::map<uint64_t, Key> by_arrival_;
};

}  // namespace bank::telemetry
