namespace Ariya.Api.Accounts.Avatars;

/// <summary>
/// A PNG, JPEG or WebP picture, written anew with only the parts of the file that show it: no EXIF, XMP, IPTC, ICC, text, comments,
/// thumbnails, times, unknown parts or bytes after the end. The containers are walked, pixels are not decoded, so what is inside
/// the compressed data is as the person sent it.
/// </summary>
/// <param name="ContentType">By the bytes, whatever the upload called itself.</param>
/// <param name="Width">In the file; a JPEG's orientation may turn it.</param>
/// <param name="Height">In the file; a JPEG's orientation may turn it.</param>
/// <param name="Bytes">The new file.</param>
internal sealed record Picture(string ContentType, int Width, int Height, byte[] Bytes)
{
    public const int MaxSide = 4096;

    public const string WrongKind = "Use a PNG, JPEG or WebP picture.";
    public const string WrongJpeg = "Use a baseline or progressive JPEG picture.";
    public const string Moving = "Use a picture that does not move.";
    public const string Damaged = "This picture is damaged.";
    public static readonly string TooLarge = $"Use a picture of at most {MaxSide} by {MaxSide} pixels.";

    /// <summary>
    /// The picture in the file; null with the reason, for the person who sent it. Time and memory grow with the file, not with the
    /// picture.
    /// </summary>
    public static Picture? Read(ReadOnlySpan<byte> file, out string reason)
    {
        reason = WrongKind;
        return PngFile.Is(file) ? PngFile.Read(file, out reason)
            : JpegFile.Is(file) ? JpegFile.Read(file, out reason)
            : WebpFile.Is(file) ? WebpFile.Read(file, out reason)
            : null;
    }

    /// <summary>What is wrong with a size, if anything.</summary>
    public static string? FaultOfSize(uint width, uint height) =>
        width == 0 || height == 0 ? Damaged : width > MaxSide || height > MaxSide ? TooLarge : null;
}
