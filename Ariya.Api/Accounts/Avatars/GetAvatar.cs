using Ariya.Api.Problems;
using Ariya.Api.Sessions;
using Ariya.Data;

namespace Ariya.Api.Accounts.Avatars;

internal static class GetAvatar
{
    /// <summary>The caller's picture. With <c>If-None-Match</c> a picture that is known is 304.</summary>
    public static async Task<IResult> HandleAsync(Caller caller, HttpContext http, AriyaDatabase db, CancellationToken cancellationToken)
    {
        var avatar = await db.QueryFirstAsync(
            $"select content_type, picture, hash from avatars where account_id = {caller.Account.Id}",
            row => new { ContentType = row.Get<string>("content_type"), Picture = row.Get<byte[]>("picture"), Hash = row.Get<byte[]>("hash") },
            cancellationToken);
        if (avatar is null)
        {
            return Problem.NotFound();
        }

        // A file that somebody made, shown on this origin: whatever is in it, a browser takes it for a picture and for nothing else.
        var headers = http.Response.Headers;
        headers.ContentSecurityPolicy = "default-src 'none'; sandbox; frame-ancestors 'none'";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        headers.ContentDisposition = $"inline; filename=\"avatar.{avatar.ContentType["image/".Length..]}\"";
        headers.CacheControl = "private, no-cache";
        return TypedResults.Bytes(avatar.Picture, avatar.ContentType, entityTag: PutAvatar.TagOf(avatar.Hash));
    }
}
