// Goal: every program reads where branches are alike, and refuses in one line what nobody can
// reach. Method: tables.
#include "net/address_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bank::net {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

BranchAddress At(uint64_t branch, std::string address) {
  return {BranchId(branch), std::move(address)};
}

TEST(AddressList, NamesHostsAndBracketedHosts) {
  EXPECT_THAT(
      *ParseBranchAddresses("3=localhost:50051, 1=127.0.0.1:2,4294967295=[::1]:7", Ids::kRequired),
      ElementsAre(At(3, "localhost:50051"), At(1, "127.0.0.1:2"), At(4'294'967'295, "[::1]:7")));
  EXPECT_THAT(*ParseBranchAddresses("[2001:db8::1]:50051,2=unix:/tmp/x", Ids::kOptional),
              ElementsAre(At(0, "[2001:db8::1]:50051"), At(2, "unix:/tmp/x")));
  EXPECT_THAT(*ParseBranchAddresses("unix:/tmp/a=b", Ids::kOptional),
              ElementsAre(At(0, "unix:/tmp/a=b")));
}

TEST(AddressList, WithoutAnIdThePlaceMayCount) {
  EXPECT_THAT(*ParseBranchAddresses("localhost:1,7=localhost:2,localhost:3", Ids::kByPlace),
              ElementsAre(At(1, "localhost:1"), At(7, "localhost:2"), At(3, "localhost:3")));
  EXPECT_THAT(*ParseBranchAddresses("localhost:1,localhost:1", Ids::kOptional),
              ElementsAre(At(0, "localhost:1"), At(0, "localhost:1")));
}

TEST(AddressList, EachRefusalSaysWhatIsWrong) {
  struct Row {
    const char* text;
    Ids ids;
    const char* message;
  };
  const Row rows[] = {
      {"", Ids::kOptional, "'' is not an address: expected host:port"},
      {"localhost:1,", Ids::kByPlace, "'' is not an address"},
      {"localhost:1", Ids::kRequired, "'localhost:1' is not ID=host:port with an id from 1 to"},
      {"1=localhost:1,", Ids::kRequired, "'' is not ID=host:port"},
      {"=localhost:1", Ids::kOptional, "'=localhost:1' is not [ID=]host:port"},
      {"0=localhost:1", Ids::kOptional, "is not [ID=]host:port with an id from 1 to 4294967295"},
      {"4294967296=localhost:1", Ids::kByPlace, "is not [ID=]host:port"},
      {"01=localhost:1", Ids::kOptional, "is not [ID=]host:port"},
      {"x=localhost:1", Ids::kOptional, "is not [ID=]host:port"},
      {"1=localhost", Ids::kOptional, "branch 1: 'localhost' is not an address"},
      {"1=::1:5", Ids::kRequired, "branch 1: '::1:5' is not an address"},
      {"1=[::1:5", Ids::kRequired, "branch 1: '[::1:5' is not an address"},
      {"1=[::1]:0", Ids::kRequired, "branch 1: '[::1]:0' is at port 0, where nobody"},
      {"localhost:0", Ids::kOptional, "'localhost:0' is at port 0"},
      {"1=a:1,1=b:1", Ids::kOptional, "branch 1 is named twice"},
      {"2=a:1,b:1", Ids::kByPlace, "branch 2 is named twice"},
      {"1=a\nb", Ids::kOptional, "'a\\x0ab' is not an address"},
  };
  for (const Row& row : rows) {
    const auto parsed = ParseBranchAddresses(row.text, row.ids);
    EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument) << row.text;
    EXPECT_THAT(std::string(parsed.status().message()), HasSubstr(row.message));
  }
}

TEST(AddressList, AnyPortIsForListeningAlone) {
  EXPECT_TRUE(IsAnyPort("localhost:0"));
  EXPECT_TRUE(IsAnyPort("[::]:0"));
  EXPECT_FALSE(IsAnyPort("localhost:10"));
  EXPECT_FALSE(IsAnyPort("unix:/tmp/x:0"));
}

}  // namespace
}  // namespace bank::net
