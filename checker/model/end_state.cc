#include "checker/model/end_state.h"

#include <algorithm>

namespace bank::checker {
namespace {

Bounds Narrowed(const Bounds& bounds, const Bounds& by) {
  return {std::max(bounds.low, by.low), std::min(bounds.high, by.high)};
}

}  // namespace

EndState EndStateOf(const std::vector<AccountView>& views, const Sum& money, const Sum& accounts) {
  EndState end;
  for (const AccountView& view : views) {
    if (!view.is_certainly_there()) continue;
    end.accounts.low += 1;
    end.certain.low += view.least();
    end.certain.high += view.most();
  }
  end.accounts.high = std::max(accounts.parts.high, end.accounts.low);
  end.all = Narrowed({end.certain.low, money.parts.high}, money.whole);
  end.certain = Narrowed(end.certain, money.whole);
  return end;
}

Fit FitOf(const Digest& digest, const EndState& end) {
  const bool tells_accounts = digest.accounts >= 0;
  if (tells_accounts && digest.accounts < end.accounts.low) return Fit::kTooFewAccounts;
  if (!digest.has_balance_total) return Fit::kFits;
  Bounds total = end.all;
  if (tells_accounts && digest.accounts == end.accounts.low) total = end.certain;
  // Others have accounts, too, and what is in them nobody knows.
  if (tells_accounts && digest.accounts > end.accounts.high) total.high = kUnbounded;
  return digest.balance_total >= total.low && digest.balance_total <= total.high ? Fit::kFits
                                                                                 : Fit::kOtherTotal;
}

}  // namespace bank::checker
