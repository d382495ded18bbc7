// Goal: histories of other systems, in Jepsen's EDN, get the right verdict.
#include "checker/jepsen.h"

#include "checker/timeline.h"
#include "tests/unit/checker/history_text.h"

namespace bank::checker {
namespace {

Verdict JudgeEdn(const std::string& text) {
  const auto judgement = JudgeJepsen({WriteTemporary("history.edn", text)}, 5000);
  EXPECT_TRUE(judgement.ok()) << judgement.status();
  return judgement.ok() ? judgement->verdict : Verdict::kUndecided;
}

std::string Register(const std::string& last_read) {
  return R"({:type :invoke, :f :write, :value 1, :process 0, :time 1}
{:type :invoke, :f :read, :value nil, :process 1, :time 2}
{:type :ok, :f :write, :value 1, :process 0, :time 3}
{:type :ok, :f :read, :value nil, :process 1, :time 4} ; it overlaps the write
{:type :info, :f :start, :value nil, :process :nemesis, :time 4}
{:type :invoke, :f :cas, :value [1 2], :process 0, :time 5}
{:type :info, :f :cas, :value [1 2], :process 0, :time 6, :error :timeout}
{:type :invoke, :f :read, :value nil, :process 2, :time 7}
{:type :ok, :f :read, :value )" +
         last_read + ", :process 2, :time 8}\n";
}

TEST(Jepsen, RegisterWithUnknownCas) {
  EXPECT_EQ(JudgeEdn(Register("2")), Verdict::kConsistent);
  EXPECT_EQ(JudgeEdn(Register("1")), Verdict::kConsistent);
  EXPECT_EQ(JudgeEdn(Register("3")), Verdict::kInconsistent);
  EXPECT_EQ(JudgeEdn(Register("nil")), Verdict::kInconsistent);
}

std::string Bank(const std::string& last_read) {
  return R"([{:type :invoke, :f :read, :value nil, :process 1}
{:type :ok, :f :read, :value {0 10, 1 10}, :process 1}
{:type :invoke, :f :transfer, :value {:from 0, :to 1, :amount 5}, :process 0}
{:type :ok, :f :transfer, :value {:from 0, :to 1, :amount 5}, :process 0}
{:type :invoke, :f :read, :value nil, :process 1}
{:type :ok, :f :read, :value )" +
         last_read + ", :process 1}]";
}

TEST(Jepsen, BankReadsMustAddUpAndFollowTheTransfers) {
  EXPECT_EQ(JudgeEdn(Bank("{0 5, 1 15}")), Verdict::kConsistent);
  EXPECT_EQ(JudgeEdn(Bank("{0 10, 1 10}")), Verdict::kInconsistent);  // stale
  EXPECT_EQ(JudgeEdn(Bank("{0 5, 1 10}")), Verdict::kInconsistent);   // money is gone
}

// Four transfers of 2^62 are 2^64: the accounts are not as before.
TEST(Jepsen, SumsDoNotWrapAround) {
  std::string text =
      "{:type :invoke, :f :read, :process 1}\n"
      "{:type :ok, :f :read, :value {0 5, 1 5}, :process 1}\n";
  for (int i = 0; i < 4; ++i) {
    for (const char* type : {"invoke", "ok"}) {
      text += fmt::format(
          "{{:type :{}, :f :transfer, :value {{:from 0, :to 1, :amount {}}}, :process 0}}\n", type,
          int64_t{1} << 62);
    }
  }
  text +=
      "{:type :invoke, :f :read, :process 1}\n"
      "{:type :ok, :f :read, :value {0 5, 1 5}, :process 1}\n";
  EXPECT_EQ(JudgeEdn(text), Verdict::kInconsistent);

  const std::string max = std::to_string(std::numeric_limits<int64_t>::max());
  EXPECT_EQ(JudgeEdn("{:type :invoke, :f :read, :process 1}\n"
                     "{:type :ok, :f :read, :value {0 " +
                     max + ", 1 " + max + "}, :process 1}\n"),
            Verdict::kConsistent);
}

TEST(Jepsen, RefusalsAreOneLine) {
  const auto judgement = JudgeJepsen(
      {WriteTemporary("bad.edn", "{:type :invoke, :process 1, :f \"a\nb\xff\", :value 1}")}, 1000);
  ASSERT_FALSE(judgement.ok());
  EXPECT_NE(judgement.status().message().find(":f a\\x0ab\\xff is neither"), std::string::npos)
      << judgement.status();
}

// An event without commas, as other writers print it.
std::string Event(const char* type, int process, const char* f, const std::string& value) {
  return fmt::format("#jepsen.history.Op{{:type :{} :process {} :f :{} :value {}}}\n", type,
                     process, f, value);
}
std::string Done(int process, const char* f, const std::string& asked, const std::string& told) {
  return Event("invoke", process, f, asked) + Event("ok", process, f, told);
}

TEST(Jepsen, IndependentKeysAreJudgedAlone) {
  const std::string writes = Done(0, "write", "[:x 1]", "[:x 1]") +
                             Done(0, "write", "[:y 2]", "[:y 2]") +
                             Done(1, "cas", "[:x [1 3]]", "[:x [1 3]]");
  const std::string one_key = writes + Done(1, "read", "[:y nil]", "[:y 2]");
  EXPECT_EQ(JudgeEdn(one_key + Done(2, "read", "[:x nil]", "[:x 3]")), Verdict::kConsistent);
  EXPECT_EQ(JudgeEdn(one_key + Done(2, "read", "[:x nil]", "[:x 2]")), Verdict::kInconsistent);
  EXPECT_EQ(JudgeEdn(one_key + Done(2, "read", "[:x nil]", "[:x nil]")), Verdict::kInconsistent);
  EXPECT_EQ(JudgeEdn(one_key + Done(2, "read", "[:z nil]", "[:z nil]")), Verdict::kConsistent);
}

TEST(Jepsen, BankReadsThatAreWrongAlone) {
  const std::string good = Done(0, "read", "nil", "{0 10 1 10}");
  EXPECT_EQ(JudgeEdn(good), Verdict::kConsistent);
  EXPECT_EQ(JudgeEdn(good + Done(0, "read", "nil", "{0 20}")), Verdict::kInconsistent);
  EXPECT_EQ(JudgeEdn(good + Done(0, "read", "nil", "{0 20 1 nil}")), Verdict::kInconsistent);
  EXPECT_EQ(
      JudgeEdn(good +
               Done(0, "transfer", "{:from 0 :to 1 :amount 15}", "{:from 0 :to 1 :amount 15}") +
               Done(0, "read", "nil", "{0 -5 1 25}")),
      Verdict::kInconsistent);
}

TEST(Jepsen, UnknownTransfersHappenAtMostOnce) {
  std::string text = Done(0, "read", "nil", "{:a 100 :b 100}");
  for (int i = 0; i < 24; ++i) {
    text += Event("invoke", 10 + i, "transfer",
                  fmt::format("{{:from :a :to :b :amount {}}}", 1 << i % 7));
    text += Event("info", 10 + i, "transfer", "nil");
  }
  EXPECT_EQ(JudgeEdn(text + Done(0, "read", "nil", "{:a 99 :b 101}")), Verdict::kConsistent);
  // There is no way back.
  EXPECT_EQ(JudgeEdn(text + Done(0, "read", "nil", "{:a 37 :b 163}") +
                     Done(0, "read", "nil", "{:a 38 :b 162}")),
            Verdict::kInconsistent);
}

TEST(Jepsen, TransferInPartIsFoundThoughTheSumIsRight) {
  const std::string text = Done(0, "read", "nil", "{0 10 1 10 2 10}") +
                           Done(0, "transfer", "{:from 0 :to 1 :amount 4}", "nil");
  EXPECT_EQ(JudgeEdn(text + Done(0, "read", "nil", "{0 6 1 14 2 10}")), Verdict::kConsistent);
  EXPECT_EQ(JudgeEdn(text + Done(0, "read", "nil", "{0 6 1 10 2 14}")), Verdict::kInconsistent);
}

TEST(Jepsen, MalformedInputIsRefused) {
  for (const char* text : {"{:type :invoke", "[1 2", "{:type}", "{:type :ok, :process 1, :f :read}",
                           "{:type :invoke, :process 1, :f :append, :value 1}"}) {
    EXPECT_FALSE(JudgeJepsen({WriteTemporary("bad.edn", text)}, 1000).ok()) << text;
  }
}

TEST(Reader, NamesFileAndLineOfWhatIsWrong) {
  const std::string good =
      R"({"type":"invoke","process":1,"id":1,"op":"query","account":"shared","amount":0,"ns":1})"
      "\n";
  const auto message = [&](const std::string& text) {
    const auto judgement = JudgeText(text);
    return judgement.ok() ? std::string("accepted") : std::string(judgement.status().message());
  };
  EXPECT_EQ(message(good), "accepted");
  // A torn last line.
  EXPECT_EQ(message(good + R"({"type":"ok","process":1)"), "accepted");
  EXPECT_EQ(message(good + R"({"type":"digest","bran)"), "accepted");
  for (const char* bad :
       {"nonsense", "{}", R"({"type":"later"})", R"({"type":"ok","process":1,"id":2,"ns":3})",
        R"({"type":"invoke","process":1,"id":1,"op":"query","ns":4})",
        R"({"type":"invoke","process":-1,"id":2,"op":"query","ns":4})",
        R"({"type":"invoke","process":1,"id":2,"op":"deposit","ns":4})",
        R"({"type":"ok","process":1,"id":1,"op":"deposit","ns":4})",
        R"({"type":"ok","process":1,"id":1,"result":"perhaps","ns":4})",
        R"({"type":"ok","process":1,"id":1,"id":1,"ns":4})",
        R"({"type":"ok","process":01,"id":1,"ns":4})", R"({"type":"header","version":1)",
        R"({"type":"header","version":[1]})",
        R"({"type":"header","accounts_max":18446744073709551615})",
        R"({"type":"digest","branch":1,"log_index":1,"state":"a","accounts":9223372036854775808})",
        "{\"type\":\"ok\",\"process\":1,\"id\":1,\"account\":\"\xff\",\"ns\":4}"}) {
    EXPECT_NE(message(good + bad + "\n").find("history.jsonl:2: "), std::string::npos)
        << bad << " gives " << message(good + bad + "\n");
  }
}

TEST(Reader, TakesAnythingNestedToAnyDepth) {
  constexpr size_t kDepth = 500'000;
  for (const char* begin : {R"({"type":"header","version":)", R"({"type":"ok","more":)"}) {
    const std::string line = begin + std::string(kDepth, '[') + std::string(kDepth, ']') + "}\n";
    const auto judgement = JudgeText(line);
    ASSERT_FALSE(judgement.ok());
    EXPECT_LT(judgement.status().message().size(), 600u);
  }
}

TEST(Reader, RefusalsAreOneLine) {
  const auto judgement = JudgeText("{\"type\":\"a\\nb\\u001b[2J\",\"id\":1}\n");
  ASSERT_FALSE(judgement.ok());
  EXPECT_NE(judgement.status().message().find(R"(unknown type "a\x0ab\x1b[2J")"), std::string::npos)
      << judgement.status();
}

TEST(Timeline, HoldsTheViolationAndNoMarkupFromNames) {
  const std::vector<Spec> specs = {
      {.op = "deposit",
       .amount = 1,
       .balance = 999,
       .index = 1,
       .invoke_ns = 1,
       .return_ns = 2,
       .account = "</script>"},
      {.id = 2, .balance = 7, .index = 1, .invoke_ns = 3, .return_ns = 4, .account = "</script>"}};
  const std::string path = WriteTemporary("page.jsonl", HistoryText(specs));
  const auto judgement = JudgeHistory({.histories = {path}, .digests = {}});
  ASSERT_TRUE(judgement.ok());
  EXPECT_EQ(judgement->verdict, Verdict::kInconsistent);
  const auto page = Timeline({path}, *judgement);
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->find("</script>"), page->rfind("</script>"));
  EXPECT_EQ(page->find("http"), std::string::npos);
}

}  // namespace
}  // namespace bank::checker
