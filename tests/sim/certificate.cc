#include "tests/sim/certificate.h"

#include <algorithm>
#include <map>
#include <vector>

#include "absl/strings/str_cat.h"

namespace bank::sim {
namespace {

using ledger::Code;

std::string Describe(const Operation& op) {
  return absl::StrCat("customer ", op.customer, " kind ", static_cast<int>(op.kind), " ",
                      op.account, op.to.empty() ? "" : " to ", op.to, " amount ", op.amount,
                      " key ", op.session.value, "/", op.sequence, " answered ",
                      std::string(CodeName(op.outcome.code)), " balance ", op.outcome.balance,
                      " position ", op.outcome.position.value, " (", op.invoked_at, "..",
                      op.completed_at, " us)");
}

// What completed before an operation began must have its place before it.
std::string CheckRealTime(const std::vector<const Operation*>& done) {
  struct Moment {
    SimTime when;
    bool begins;  // completions come first at equal times
    const Operation* op;
  };
  std::vector<Moment> moments;
  for (const Operation* op : done) {
    moments.push_back({op->invoked_at, true, op});
    if (op->completed_at != kNobodyKnows) moments.push_back({op->completed_at, false, op});
  }
  // An answer that arrives in the microsecond in which another operation begins overlaps it.
  std::stable_sort(moments.begin(), moments.end(), [](const Moment& a, const Moment& b) {
    return a.when != b.when ? a.when < b.when : a.begins && !b.begins;
  });
  const Operation* newest = nullptr;  // of the completed ones, the one placed last
  std::map<const Operation*, const Operation*> floors;
  for (const Moment& moment : moments) {
    const Position position = moment.op->outcome.position;
    if (moment.begins) {
      floors[moment.op] = newest;
      continue;
    }
    const Operation* const floor = floors[moment.op];
    if (moment.op->read() && moment.op->consistency != teller::Consistency::kLinearizable) {
      if (position < moment.op->minimum) {
        return absl::StrCat("older than asked for: ", Describe(*moment.op));
      }
    } else if (floor != nullptr) {
      const Position least = floor->outcome.position;
      if (moment.op->read() ? position < least : position <= least) {
        return absl::StrCat("not in the order of real time: ", Describe(*moment.op),
                            " began after the end of ", Describe(*floor));
      }
    }
    if (newest == nullptr || newest->outcome.position < position) newest = moment.op;
  }
  return "";
}

}  // namespace

std::string CheckCertificate(const History& history, Model* final) {
  std::vector<const Operation*> done;
  for (const Operation& op : history) {
    if (op.fate == Operation::Fate::kDone) done.push_back(&op);
    if (op.fate == Operation::Fate::kOpen || op.fate == Operation::Fate::kUnknown ||
        op.fate == Operation::Fate::kLost) {
      return absl::StrCat("never resolved: ", Describe(op));
    }
  }
  if (std::string wrong = CheckRealTime(done); !wrong.empty()) return wrong;

  // A read's place is behind the write of the same position.
  std::stable_sort(done.begin(), done.end(), [](const Operation* a, const Operation* b) {
    return std::pair(a->outcome.position, a->read()) < std::pair(b->outcome.position, b->read());
  });
  Model& model = *final;
  const Operation* last_write = nullptr;
  for (const Operation* op : done) {
    const Model::Answer told{op->outcome.code, op->outcome.balance};
    if (!op->read()) {
      if (last_write != nullptr && last_write->outcome.position == op->outcome.position) {
        return absl::StrCat("two writes at one position: ", Describe(*last_write), " and ",
                            Describe(*op));
      }
      last_write = op;
      if (told.code == Code::kNotApplied) continue;  // sealed there, without effect
    }
    const Model::Answer wanted = op->read() ? model.Read(op->account) : model.Apply(*op);
    if (told != wanted) {
      return absl::StrCat("wrong answer: ", Describe(*op), "; it should be ",
                          std::string(CodeName(wanted.code)), " balance ", wanted.balance);
    }
  }
  return "";
}

}  // namespace bank::sim
