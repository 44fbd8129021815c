using Ariya.Api.Sessions;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Ariya.Api.Accounts;

internal static class GetAccount
{
    /// <summary>The caller's own account. The ETag is its version, for If-Match.</summary>
    public static Ok<AccountBody> Handle(Caller caller, HttpContext http)
    {
        http.Response.Headers.ETag = $"\"{caller.Version}\"";
        return TypedResults.Ok(caller.Account);
    }
}
