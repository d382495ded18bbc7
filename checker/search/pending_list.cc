#include "checker/search/pending_list.h"

#include <algorithm>
#include <tuple>

namespace bank::checker {
namespace {

// Reads stand behind the write whose position they name.
uint64_t PlaceOf(const Operation& op) { return op.index * 2 + (op.is_read() ? 1 : 0) + 1; }

}  // namespace

void PendingList::MakeList() {
  std::vector<std::tuple<int64_t, bool, uint32_t>> events;  // at equal stamps they overlap
  for (uint32_t i = 0; i < operations_.size(); ++i) {
    events.emplace_back(operations_[i].invoke_ns, false, i);
    events.emplace_back(operations_[i].return_ns, true, i);
  }
  std::sort(events.begin(), events.end());
  links_.resize(events.size() + 1);
  return_link_.resize(operations_.size());
  for (uint32_t i = 0; i < events.size(); ++i) {
    const auto [ns, is_return, op] = events[i];
    links_[i + 1] = {op, is_return, i, i + 1 < events.size() ? i + 2 : 0};
    if (is_return) return_link_[op] = i + 1;
  }
  links_[0].next = events.empty() ? 0 : 1;
}

void PendingList::MakePlaces() {
  place_of_.assign(operations_.size(), 0);
  place_link_.assign(operations_.size(), 0);
  at_place_ = {0};
  for (uint32_t i = 0; i < operations_.size(); ++i) {
    if (!operations_[i].has_index) continue;
    place_of_[i] = PlaceOf(operations_[i]);
    at_place_.push_back(i);
  }
  std::stable_sort(at_place_.begin() + 1, at_place_.end(),
                   [&](uint32_t a, uint32_t b) { return place_of_[a] < place_of_[b]; });
  const auto count = static_cast<uint32_t>(at_place_.size());
  for (uint32_t k = 0; k < count; ++k) {
    places_.emplace_back(k == 0 ? 0 : k - 1, k + 1 < count ? k + 1 : 0);
    if (k != 0) place_link_[at_place_[k]] = k;
  }
}

void PendingList::Unlink(uint32_t link) {
  links_[links_[link].previous].next = links_[link].next;
  if (links_[link].next != 0) links_[links_[link].next].previous = links_[link].previous;
}

void PendingList::Relink(uint32_t link) {
  links_[links_[link].previous].next = link;
  if (links_[link].next != 0) links_[links_[link].next].previous = link;
}

uint32_t PendingList::FirstReturn() const {
  uint32_t link = links_[0].next;
  while (link != 0 && !links_[link].is_return) link = links_[link].next;
  return link;
}

bool PendingList::IsNextPlace(uint32_t op) const {
  if (!HasPlace(op)) return true;
  return place_of_[at_place_[places_[0].second]] == place_of_[op];
}

bool PendingList::IsReached(uint64_t index) const {
  if (places_.empty() || places_[0].second == 0) return true;
  return place_of_[at_place_[places_[0].second]] >= index * 2 + 2;
}

void PendingList::Take(uint32_t link) {
  const uint32_t op = links_[link].op;
  Unlink(link);
  Unlink(return_link_[op]);
  if (!HasPlace(op)) return;
  const auto [previous, next] = places_[place_link_[op]];
  places_[previous].second = next;
  if (next != 0) places_[next].first = previous;
}

void PendingList::PutBack(uint32_t link) {
  const uint32_t op = links_[link].op;
  Relink(return_link_[op]);
  Relink(link);
  if (!HasPlace(op)) return;
  const auto [previous, next] = places_[place_link_[op]];
  places_[previous].second = place_link_[op];
  if (next != 0) places_[next].first = place_link_[op];
}

}  // namespace bank::checker
