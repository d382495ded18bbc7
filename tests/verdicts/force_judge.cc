#include "tests/verdicts/force_judge.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "tests/verdicts/ledger.h"

namespace bank::verdicts {
namespace {

constexpr int64_t kForever = std::numeric_limits<int64_t>::max();
constexpr uint64_t kStepsMax = 400'000;

const std::set<std::string> kPlaced = {"ok",          "insufficient_funds", "unknown_account",
                                       "bad_amount",  "account_exists",     "overflow",
                                       "bad_account", "too_many_accounts"};
const std::set<std::string> kOfKeys = {"unknown_session", "key_reused", "forgotten", "window_full",
                                       "not_applied"};

bool IsPlaced(const Event& e) { return e.type == "ok" && kPlaced.contains(e.result); }
bool IsUnknown(const Event& e) {
  return e.is_write() &&
         (e.type.empty() || e.type == "info" || (e.type == "ok" && e.result == "forgotten"));
}
bool SameContent(const Event& a, const Event& b) {
  return a.op == b.op && a.account == b.account && a.to == b.to && a.amount == b.amount;
}

// What may or must stand in the order.
struct Item {
  Demand demand;
  bool is_write = false;
  bool must = false;        // else of unknown outcome
  bool may_be_old = false;  // a query that need not be fresh
  std::optional<uint64_t> index;
  uint64_t minimum = 0;
  int64_t invoked = 0;
  int64_t over = kForever;
  int choice = -1;  // of those with one number, at most one is in the order
};

Item ItemOf(const Event& e) {
  Item item;
  item.demand = {e.op, e.account, e.to, e.amount, IsPlaced(e) ? e.result : "ok", std::nullopt};
  if (IsPlaced(e)) item.demand.balance = e.balance;
  item.is_write = e.is_write();
  item.must = IsPlaced(e);
  item.may_be_old = !e.consistency.empty() && e.consistency != "linearizable";
  if (item.must) item.index = e.index;
  item.minimum = e.consistency == "at_least" ? e.minimum.value_or(0) : 0;
  item.invoked = e.invoked;
  item.over = item.must ? e.over : kForever;
  return item;
}

class Judge {
 public:
  explicit Judge(const Story& story) : story_(story) {}

  Truth Run() {
    if (!Gather() || !DigestsAgree()) return Truth::kWrong;
    std::vector<std::string> named;
    for (const Event& e : story_.events) {
      named.push_back(e.account);
      if (e.op == "transfer") named.push_back(e.to);
    }
    done_.assign(items_.size(), false);
    if (Try({Ledger(story_, named), 0, std::numeric_limits<int64_t>::min(),
             std::numeric_limits<int64_t>::min()})) {
      return Truth::kRight;
    }
    return steps_ > kStepsMax ? Truth::kTooLong : Truth::kWrong;
  }

 private:
  struct Point {
    Ledger ledger;
    uint64_t position;    // all up to it are passed
    int64_t newest;       // invocation before here
    int64_t newest_then;  // and before the position was reached
  };

  // False: what was told of one key, or to a query, is wrong whatever happened.
  bool Gather() {
    std::map<std::pair<uint64_t, uint64_t>, std::vector<Event>> keys;
    for (const Event& e : story_.events) {
      if (e.type == "fail") continue;
      if (!e.is_write()) {
        if (e.type == "ok" && kOfKeys.contains(e.result)) return false;
        if (IsPlaced(e)) items_.push_back(ItemOf(e));
      } else if (e.has_key()) {
        keys[{e.session, e.sequence}].push_back(e);
      } else if (IsPlaced(e) || IsUnknown(e)) {
        items_.push_back(ItemOf(e));
      }
    }
    int choice = 0;
    for (const auto& [key, attempts] : keys) {
      if (!GatherKey(attempts, choice++)) return false;
    }
    return true;
  }

  bool GatherKey(const std::vector<Event>& attempts, int choice) {
    const bool is_sealed = std::any_of(attempts.begin(), attempts.end(), [](const Event& e) {
      return e.type == "ok" && e.result == "not_applied";
    });
    std::optional<Event> told;
    for (const Event& e : attempts) {
      if (!IsPlaced(e)) continue;
      if (!told) told = e;
      if (!SameContent(*told, e) || told->result != e.result ||
          (told->index && e.index && *told->index != *e.index) ||
          (told->balance && e.balance && *told->balance != *e.balance)) {
        return false;
      }
      if (!told->index) told->index = e.index;
      if (!told->balance) told->balance = e.balance;
      told->over = std::min(told->over, e.over);
    }
    if (told && is_sealed) return false;
    if (is_sealed) return true;
    for (const Event& e : attempts) {
      if (!IsUnknown(e) && !IsPlaced(e)) continue;
      if (!told) {
        items_.push_back(ItemOf(e));
        items_.back().choice = choice;
      } else if (SameContent(*told, e)) {
        told->invoked = std::min(told->invoked, e.invoked);
      }
    }
    if (told) items_.push_back(ItemOf(*told));
    return true;
  }

  bool DigestsAgree() {
    std::map<uint64_t, const DigestLine*> last;
    for (const DigestLine& digest : story_.digests) {
      for (const DigestLine& other : story_.digests) {
        if (digest.position == other.position &&
            (digest.state != other.state || digest.accounts != other.accounts ||
             digest.total != other.total)) {
          return false;
        }
      }
      last[digest.branch] = &digest;
    }
    for (const auto& [branch, digest] : last) {
      if (digest->position != last.begin()->second->position) return false;
    }
    if (!last.empty()) end_ = last.begin()->second;
    return true;
  }

  bool IsFirst(size_t i) const {
    for (size_t j = 0; j < items_.size(); ++j) {
      const Item& other = items_[j];
      if (!done_[j] && other.must && !other.may_be_old && other.over < items_[i].invoked) {
        return items_[i].may_be_old;
      }
      if (done_[j] && !items_[i].must && items_[i].choice >= 0 &&
          other.choice == items_[i].choice) {
        return false;
      }
    }
    return true;
  }

  // Whether some write that is still to come names a position up to `position`.
  bool IsHeld(uint64_t position) const {
    for (size_t j = 0; j < items_.size(); ++j) {
      if (!done_[j] && items_[j].is_write && items_[j].index && *items_[j].index <= position) {
        return true;
      }
    }
    return false;
  }

  // Moves to where the item may stand; false if it may not.
  bool Reach(const Item& item, Point* point) const {
    uint64_t position = point->position;
    if (item.is_write) {
      // The first position that nobody names: it leaves the most to all others.
      ++position;
      while (!item.index && Names(position)) ++position;
      if (item.index && *item.index < position) return false;
      if (item.index) position = *item.index;
      if (IsHeld(item.index ? position - 1 : position)) return false;
      if (point->newest > item.over) return false;
      point->newest = std::max(point->newest, item.invoked);
      point->newest_then = point->newest;
    } else {
      if (item.index && (*item.index < position || *item.index < item.minimum)) return false;
      const uint64_t sees = item.index ? *item.index : std::max(position, item.minimum);
      if (sees > position) {
        if (IsHeld(sees)) return false;
        position = sees;
        point->newest_then = point->newest;
      }
      if ((item.may_be_old ? point->newest_then : point->newest) > item.over) return false;
      if (!item.may_be_old) point->newest = std::max(point->newest, item.invoked);
    }
    if (end_ != nullptr && position > end_->position) return false;
    point->position = position;
    return true;
  }

  bool Names(uint64_t position) const {
    return std::any_of(items_.begin(), items_.end(),
                       [&](const Item& item) { return item.is_write && item.index == position; });
  }

  bool Try(const Point& point) {
    if (++steps_ > kStepsMax) return false;
    bool is_end = true;
    for (size_t i = 0; i < items_.size(); ++i) is_end = is_end && (done_[i] || !items_[i].must);
    if (is_end && (end_ == nullptr || point.ledger.FitsDigest(*end_))) return true;
    for (size_t i = 0; i < items_.size(); ++i) {
      if (done_[i] || !IsFirst(i)) continue;
      Point next = point;
      if (!Reach(items_[i], &next)) continue;
      for (Ledger& ledger : point.ledger.Answer(items_[i].demand)) {
        next.ledger = std::move(ledger);
        done_[i] = true;
        const bool found = Try(next);
        done_[i] = false;
        if (found) return true;
      }
    }
    return false;
  }

  const Story& story_;
  std::vector<Item> items_;
  std::vector<bool> done_;
  const DigestLine* end_ = nullptr;
  uint64_t steps_ = 0;
};

}  // namespace

Truth JudgeByForce(const Story& story) { return Judge(story).Run(); }

}  // namespace bank::verdicts
