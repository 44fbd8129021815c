using System.Security.Cryptography;
using Ariya.Api.Http;
using Ariya.Api.Idempotency;
using Ariya.Api.Problems;
using Ariya.Api.Sessions;
using Ariya.Data;
using Ariya.Data.Audit;
using Microsoft.Net.Http.Headers;

namespace Ariya.Api.Accounts.Avatars;

internal sealed class PutAvatar(AriyaDatabase db, IdempotentWork work)
{
    public const int MaxBytes = 1024 * 1024;

    /// <summary>
    /// Sets the caller's picture: the bytes of a PNG, JPEG or WebP file, at most 1 MB and 4096 pixels a side. Only what shows it is kept; where and with
    /// what it was taken is not.
    /// </summary>
    public static async Task<IResult> HandleAsync(
        Caller caller, ClientInfo client, HttpContext http, Admission admission, PutAvatar put, CancellationToken cancellationToken)
    {
        using var body = new MemoryStream();
        // Ends with 413 beyond the limit that Routes.cs names.
        await http.Request.Body.CopyToAsync(body, cancellationToken);
        var file = body.ToArray();
        return await admission.RunAsync(
            caller.Account.Id.ToString(), file, () => put.WriteAsync(file, caller, client, http, cancellationToken), cancellationToken);
    }

    private async Task<IResult> WriteAsync(byte[] file, Caller caller, ClientInfo client, HttpContext http, CancellationToken cancellationToken)
    {
        // Not before the limits: a megabyte that is no picture is an upload too.
        if (Picture.Read(file, out var reason) is not { } picture)
        {
            return Problem.Validation("picture", reason);
        }

        var hash = SHA256.HashData(picture.Bytes);
        await work.DoAsync(() => db.ExecuteAsync(
            $"""
             with p as (
               insert into avatars (account_id, content_type, picture, hash)
               values ({caller.Account.Id}, {picture.ContentType}, {picture.Bytes}, {hash})
               on conflict (account_id) do update
                 set content_type = excluded.content_type, picture = excluded.picture, hash = excluded.hash, updated_at = clock_timestamp()
               returning account_id)
             insert into audit_events (id, kind, account_id, session_id, network, user_agent)
             select {Guid.CreateVersion7()}, {AuditKinds.AvatarChanged}, p.account_id, {caller.SessionId}, {client.Network}, {client.UserAgent} from p
             """,
            cancellationToken), cancellationToken);
        http.Response.Headers.ETag = TagOf(hash).ToString();
        return TypedResults.NoContent();
    }

    public static EntityTagHeaderValue TagOf(byte[] hash) => new($"\"{Convert.ToHexStringLower(hash, 0, 16)}\"");
}
