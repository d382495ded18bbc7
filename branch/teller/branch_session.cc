#include "branch/teller/branch_session.h"

namespace bank::teller {

void BranchSession::Open(SessionId session) {
  session_ = session;
  next_sequence_ = 1;
  first_ticket_ += unanswered_.size();
  unanswered_.clear();
}

bool BranchSession::Close(SessionId session) {
  if (session != session_) return false;
  session_ = SessionId{};
  return true;
}

std::optional<BranchSession::Grant> BranchSession::Take(uint64_t count) {
  if (!open()) return std::nullopt;
  const uint64_t oldest = unanswered_.empty() ? next_sequence_ : unanswered_.front().first_sequence;
  if (next_sequence_ - oldest + count > window_max_) return std::nullopt;
  const Grant grant{session_, next_sequence_, oldest, first_ticket_ + unanswered_.size()};
  unanswered_.push_back({next_sequence_, false});
  next_sequence_ += count;
  return grant;
}

void BranchSession::Answered(const Grant& grant) {
  if (grant.session != session_) return;
  unanswered_[grant.ticket - first_ticket_].answered = true;
  while (!unanswered_.empty() && unanswered_.front().answered) {
    unanswered_.pop_front();
    ++first_ticket_;
  }
}

}  // namespace bank::teller
