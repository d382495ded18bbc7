// Goal: verdicts that were wrong once stay right. Method: one small history for each.
#include "tests/support/history_text.h"

namespace bank::checker {
namespace {

struct Case {
  const char* what;
  const char* initial;
  const char* lines;    // the keys of each line that matter, one line each
  const char* verdict;  // "refused": not acceptable
};

constexpr Case kCases[] = {
    {"two unknown operations that one answer demands leave a place for a third",
     R"("a":100,"b":100,"c":5)",
     R"({"type":"invoke","process":1,"id":1,"op":"withdraw","account":"a","amount":10,"ns":0}
{"type":"invoke","process":2,"id":1,"op":"deposit","account":"c","amount":1,"ns":5}
{"type":"ok","process":2,"id":1,"result":"ok","balance":6,"index":2,"ns":10}
{"type":"invoke","process":3,"id":1,"op":"deposit","account":"a","amount":7,"ns":20}
{"type":"invoke","process":4,"id":1,"op":"deposit","account":"b","amount":3,"ns":20}
{"type":"invoke","process":2,"id":2,"op":"deposit","account":"a","amount":1,"ns":30}
{"type":"ok","process":2,"id":2,"result":"ok","balance":98,"index":5,"ns":40}
{"type":"invoke","process":2,"id":3,"op":"deposit","account":"b","amount":1,"ns":50}
{"type":"ok","process":2,"id":3,"result":"ok","balance":104,"index":6,"ns":60}
)",
     "consistent"},
    {"an answer without a balance leaves open what stood before it", R"("a":7)",
     R"({"type":"invoke","process":2,"id":1,"op":"deposit","account":"a","amount":7,"ns":3}
{"type":"invoke","process":1,"id":1,"op":"withdraw","account":"a","amount":1,"ns":6}
{"type":"ok","process":1,"id":1,"result":"ok","index":1,"ns":10}
{"type":"invoke","process":2,"id":2,"op":"withdraw","account":"a","amount":3,"ns":29}
{"type":"ok","process":2,"id":2,"result":"ok","index":3,"ns":36}
{"type":"invoke","process":2,"id":3,"op":"deposit","account":"a","amount":1,"ns":42}
{"type":"ok","process":2,"id":3,"result":"ok","balance":11,"index":4,"ns":54}
)",
     "consistent"},
    {"a stale read shows what was at its position", R"("a":12,"b":1)",
     R"({"type":"invoke","process":1,"id":1,"op":"query","account":"a","consistency":"local","ns":11}
{"type":"invoke","process":3,"id":1,"op":"transfer","account":"a","to":"b","amount":3,"ns":14}
{"type":"invoke","process":2,"id":1,"op":"query","account":"b","ns":15}
{"type":"ok","process":1,"id":1,"result":"ok","balance":12,"index":2,"ns":20}
{"type":"ok","process":2,"id":1,"result":"ok","balance":4,"index":2,"ns":20}
)",
     "inconsistent"},
    {"no unknown operation that can have happened leads to the total", R"("a":8,"b":1)",
     R"({"type":"invoke","process":2,"id":1,"op":"withdraw","account":"b","amount":3,"ns":4}
{"type":"invoke","process":1,"id":1,"op":"deposit","account":"a","amount":5,"ns":7}
{"type":"ok","process":1,"id":1,"result":"ok","balance":13,"index":1,"ns":8}
{"type":"digest","branch":1,"log_index":3,"state":"ab","accounts":2,"balance_total":11}
)",
     "inconsistent"},
    {"an account that does not exist holds nothing", R"("a":11)",
     R"({"type":"invoke","process":1,"id":1,"op":"withdraw","account":"b","amount":5,"ns":12}
{"type":"ok","process":1,"id":1,"result":"unknown_account","balance":10,"index":1,"ns":24}
)",
     "inconsistent"},
    {"an account that did not exist does not pay", R"("a":9)",
     R"({"type":"invoke","process":1,"id":1,"op":"transfer","account":"a","to":"b","amount":3,"ns":9}
{"type":"ok","process":1,"id":1,"result":"unknown_account","index":1,"ns":20}
{"type":"invoke","process":1,"id":3,"op":"withdraw","account":"b","amount":2,"ns":44}
{"type":"ok","process":1,"id":3,"result":"ok","balance":0,"index":2,"ns":54}
)",
     "inconsistent"},
    {"the bank holds at most 2^63-1, searched", R"("a":9223372036854775799,"b":0)",
     R"({"type":"invoke","process":1,"id":1,"op":"deposit","account":"b","amount":10,"ns":1}
{"type":"ok","process":1,"id":1,"result":"ok","balance":10,"ns":5}
)",
     "inconsistent"},
    {"the bank holds at most 2^63-1, by position", R"("a":9223372036854775799,"b":0)",
     R"({"type":"invoke","process":1,"id":1,"op":"deposit","account":"b","amount":10,"ns":1}
{"type":"ok","process":1,"id":1,"result":"ok","balance":10,"index":1,"ns":5}
)",
     "inconsistent"},
    {"an unknown deposit made the bank too full for another", R"("a":9223372036854775791)",
     R"({"type":"invoke","process":1,"id":1,"op":"deposit","account":"a","amount":2,"ns":1}
{"type":"invoke","process":2,"id":1,"op":"open","account":"b","amount":11,"ns":2}
{"type":"ok","process":2,"id":1,"result":"ok","balance":11,"index":3,"ns":5}
{"type":"invoke","process":2,"id":2,"op":"deposit","account":"a","amount":7,"ns":6}
{"type":"ok","process":2,"id":2,"result":"overflow","balance":9223372036854775793,"index":4,"ns":9}
)",
     "consistent"},
    {"positions are int64", R"("a":1)",
     R"({"type":"invoke","process":1,"id":1,"op":"deposit","account":"a","amount":1,"ns":1}
{"type":"ok","process":1,"id":1,"result":"ok","balance":2,"index":9223372036854775808,"ns":5}
)",
     "refused"},
    {"an account stands once in the header", R"("a":1,"a":2)",
     R"({"type":"invoke","process":1,"id":1,"op":"query","account":"a","ns":1}
{"type":"ok","process":1,"id":1,"result":"ok","balance":2,"index":0,"ns":5}
)",
     "refused"},
};

TEST(Certificate, VerdictsThatWereWrongOnce) {
  for (const Case& c : kCases) {
    const auto judgement = JudgeText(fmt::format(
        "{{\"type\":\"header\",\"version\":1,\"initial\":{{{}}}}}\n{}", c.initial, c.lines));
    EXPECT_EQ(judgement.ok() ? std::string(VerdictName(judgement->verdict)) : "refused", c.verdict)
        << c.what;
  }
}

}  // namespace
}  // namespace bank::checker
